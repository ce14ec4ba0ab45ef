"""What stands beside the steps: profiles, tools, completion, gaps."""

from __future__ import annotations

import json

from agentdog.spans import reconstruct
from tests.spans.make import SECOND, chat, message, result, span, tool, woven

ASK = message("user", "Hi")
SYSTEM = message("system", "Be kind.")
CALL = message("assistant", calls=(("c", "look", {}),))
DONE = message("assistant", "Done.")


def tools(*names: str) -> str:
    return json.dumps([{"type": "function", "name": name, "description": f"does {name}"} for name in names])


def test_profile_and_tools_with_the_step_since_when_they_were_there() -> None:
    first = chat(1, [SYSTEM, ASK], [CALL], gen_ai__tool__definitions=tools("look"), gen_ai__agent__name="a")
    history = [SYSTEM, ASK, CALL, result("c", "seen")]
    second = chat(2, history, [DONE], gen_ai__tool__definitions=tools("look", "send"), gen_ai__agent__name="a")
    (trajectory,) = reconstruct([first, second])
    agent = trajectory.agents["a"]
    assert agent.system == "Be kind."
    assert [(t.name, t.description) for t in agent.tools] == [("look", "does look"), ("send", "does send")]
    assert agent.tools[0].since_step is None
    since = agent.tools[1].since_step
    assert since is not None
    assert trajectory.steps[since].text == "Done."


def test_a_tool_that_is_described_anew_stands_there_again_with_its_step() -> None:
    history, calls = [ASK], []
    for number in range(8):
        kept = tools("look").replace("does look", f"does look {number // 2}")
        call = message("assistant", calls=((f"c{number}", "look", {}),))
        calls.append(chat(number + 1, list(history), [call], gen_ai__tool__definitions=kept))
        history += [call, result(f"c{number}", "seen")]
    (trajectory,) = reconstruct(calls)
    (agent,) = trajectory.agents.values()
    assert [t.description for t in agent.tools] == [f"does look {n}" for n in range(4)]
    steps = [t.since_step for t in agent.tools]
    assert steps[0] is None and steps[1:] == sorted(s for s in steps[1:] if s)
    (shuffled,) = reconstruct(calls[::-1])
    assert shuffled.agents == trajectory.agents


def test_an_agent_that_joins_later_says_with_which_step() -> None:
    first = chat(1, [ASK], [CALL], gen_ai__agent__name="a")
    second = chat(2, [ASK, CALL, result("c", "seen")], [DONE], gen_ai__agent__name="b")
    (trajectory,) = reconstruct([first, second])
    since = trajectory.agents["b"].since_step
    assert trajectory.agents["a"].since_step is None
    assert since is not None
    assert trajectory.steps[since].agent == "b"
    assert [step.agent for step in trajectory.steps[:since] if step.role == "agent"] == ["a"]


def test_how_a_trajectory_ended() -> None:
    root = span(0, gen_ai__operation__name="invoke_agent", end=9)
    asked = chat(1, [ASK], [CALL], parent=0)
    answered = chat(2, [ASK, CALL, result("c", "seen")], [DONE], parent=0)
    now, long = 3 * SECOND, 100 * SECOND
    assert reconstruct([root, asked, answered], now_ns=now)[0].completion == "root"
    assert reconstruct([asked, answered], now_ns=now)[0].completion == "final"
    assert reconstruct([asked], now_ns=now)[0].completion == "open"
    assert reconstruct([asked], now_ns=long)[0].completion == "idle"
    assert reconstruct([asked])[0].completion == "idle"


def test_a_late_span_gives_a_new_version_of_the_same_trajectory() -> None:
    asked = chat(1, [ASK], [CALL])
    late = tool(2, "look", "c", {}, "seen")
    (before,), (after,) = reconstruct([asked]), reconstruct([asked, late])
    assert before.id == after.id
    assert before.digest != after.digest
    assert [s.id for s in after.steps][: len(before.steps)] == [s.id for s in before.steps]


def test_gaps_are_said() -> None:
    (trajectory,) = reconstruct([chat(1, [ASK], [CALL]), tool(2, "look", "c")])
    assert trajectory.missing == ("result",)
    assert trajectory.steps[-1].missing == ("result",)


def test_records_that_tell_nothing_make_no_trajectory() -> None:
    assert reconstruct([span(1, http__method="GET")]) == []
    assert reconstruct([]) == []


def test_scopes_are_those_that_took_part() -> None:
    (trajectory,) = reconstruct([chat(1, [ASK], [DONE]), span(2, http__method="GET")])
    assert trajectory.scopes == ("test",)


def test_names_and_errors_of_tools_alone_are_a_blind_run() -> None:
    run = span(0, end=9, gen_ai__operation__name="invoke_agent")
    (trajectory,) = woven(
        run, tool(1, "look", "c1", parent=0), tool(3, "look", "c2", parent=0, status=2, status_message="no such city")
    )
    assert trajectory.missing == ("content",)
    assert [s.error for s in trajectory.steps if s.is_error] == ["no such city"]
