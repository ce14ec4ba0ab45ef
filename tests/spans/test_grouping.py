"""Which traces are one conversation: shared ids and replayed answers, never a user's text alone."""

from __future__ import annotations

from agentdog.spans import counterparts, ids, join_keys, trajectory_id
from agentdog.spans.records import Span
from tests.spans.make import chat, message, result, span, tool, woven

HI = message("user", "Hello")
CALL = message("assistant", calls=(("c1", "look", {"at": 1}),))


def said(text: str) -> dict[str, object]:
    return message("assistant", text)


def near(one: Span, other: Span) -> bool:
    """Whether the keys of two units lead from each to the other."""
    first, second = join_keys([one]), join_keys([other])
    there = any(sought in second for key in first for sought in counterparts(key))
    back = any(sought in first for key in second for sought in counterparts(key))
    assert there == back
    return there


def test_one_session_is_one_trajectory_in_time_order() -> None:
    first = chat(1, [HI], [said("Hi!")], trace="a", session__id="s")
    second = chat(2, [message("user", "Bye")], [said("Bye!")], trace="b", session__id="s")
    (trajectory,) = woven(second, first)
    assert trajectory.session_id == "s"
    assert [s.text for s in trajectory.steps] == ["Hello", "Hi!", "Bye", "Bye!"]


def test_the_same_first_words_are_no_link() -> None:
    one = chat(1, [HI], [said("Hi, one!")], trace="a")
    two = chat(2, [HI], [said("Hi, two!")], trace="b")
    assert len(woven(one, two)) == 2
    assert not near(one, two)


def test_the_same_answer_made_twice_is_no_link_either() -> None:
    one = chat(1, [HI], [said("Hi!")], trace="a")
    two = chat(2, [HI], [said("Hi!")], trace="b")
    assert len(woven(one, two)) == 2


def test_a_replayed_answer_joins_with_the_last_that_was_made() -> None:
    made = chat(1, [HI], [said("Hi!")], trace="a")
    other = chat(2, [HI], [said("Hi!")], trace="b")
    more = chat(3, [HI, said("Hi!"), message("user", "More")], [said("Sure.")], trace="c")
    known = woven(made, other, more)
    assert [len(t.steps) for t in known] == [2, 4]


def test_a_replay_that_leaves_out_the_tools_joins_with_the_last_answer() -> None:
    def run(trace: str, at: int, call: str) -> list[Span]:
        asked = message("assistant", calls=((call, "look", {"at": 1}),))
        root = span(at, trace=trace, gen_ai__operation__name="invoke_agent", end=at + 4)
        first = chat(at + 1, [HI], [asked], trace=trace, parent=at)
        return [
            root,
            first,
            chat(at + 2, [HI, asked, result(call, "seen")], [said("It is there.")], trace=trace, parent=at),
        ]

    other, made = run("a", 0, "c1"), run("b", 10, "c2")
    more = chat(20, [HI, said("It is there."), message("user", "Sure?")], [said("Yes.")], trace="c")
    known = woven(*other, *made, more)
    assert [len(t.steps) for t in known] == [4, 6]
    assert [s.text for s in known[1].steps][-3:] == ["It is there.", "Sure?", "Yes."]
    assert any(near(span, more) for span in made)


def test_the_same_run_again_is_nobodys_neighbour() -> None:
    def run(trace: str) -> list[Span]:
        return [
            chat(1, [HI], [CALL], trace=trace),
            chat(2, [HI, CALL, result("c1", "seen")], [said("Done.")], trace=trace),
        ]

    keys = [join_keys(run(trace)) for trace in ("a", "b")]
    assert not any(sought in keys[1] for key in keys[0] for sought in counterparts(key))
    assert len(woven(*run("a"), *run("b"))) == 2


def test_a_call_id_joins_traces() -> None:
    one = chat(1, [HI], [CALL], trace="a")
    two = chat(2, [HI, CALL, result("c1", "seen")], [said("Done.")], trace="b")
    (trajectory,) = woven(one, two)
    assert len(trajectory.steps) == 4
    assert near(one, two)


def test_a_tools_run_in_a_trace_of_its_own_joins_by_its_call() -> None:
    one = chat(1, [HI], [CALL], trace="a")
    run = tool(2, "look", "c1", {"at": 1}, "seen", trace="b")
    (trajectory,) = woven(one, run)
    assert [s.tool_result for s in trajectory.steps if s.role == "environment"] == ["seen"]


def test_different_sessions_stay_apart_whatever_they_share() -> None:
    one = chat(1, [HI], [CALL], trace="a", session__id="s1")
    two = chat(2, [HI, CALL, result("c1", "seen")], [said("Done.")], trace="b", session__id="s2")
    assert sorted(t.session_id or "" for t in woven(one, two)) == ["s1", "s2"]


def test_an_id_that_changes_with_every_request_is_not_believed() -> None:
    root = span(0, gen_ai__operation__name="invoke_agent", end=9)
    first = chat(1, [HI], [CALL], parent=0, gen_ai__conversation__id="x1")
    second = chat(2, [HI, CALL, result("c1", "seen")], [said("Done.")], parent=0, gen_ai__conversation__id="x2")
    (trajectory,) = woven(root, first, second)
    assert trajectory.session_id is None


def test_a_trajectory_is_found_by_every_id() -> None:
    one = chat(1, [HI], [CALL], trace="a", session__id="s")
    two = chat(2, [HI, CALL, result("c1", "seen")], [said("Done.")], trace="b", session__id="s")
    (trajectory,) = woven(one, two)
    found = ids(trajectory)
    assert {trajectory.id, "s", one.trace_id, one.span_id, two.trace_id} <= found, "calls have keys of their own"
    assert {trajectory_id("default", one.unit), trajectory_id("default", two.unit)} <= found
    assert trajectory.id == trajectory_id("default", one.unit)
