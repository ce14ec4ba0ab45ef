"""Several servers: affinity, trying elsewhere, leaving alone; and what is never sent twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentdog.base.errors import GuardUnavailable
from agentdog.guards import Reason, Verdict
from agentdog.guards.asker import asking
from agentdog.guards.server import ServerGuard
from tests.support.ports import closed_port
from tests.support.scripted_guard import Recorder, Reply, completion, scripted_guard

SAFE = completion("safe", {"safe": -0.1, "unsafe": -2.4})
BUSY: Reply = (503, {"error": {"message": "The engine is currently busy"}})


def verdicts(uri: str, runs: int, prefixes: int = 1) -> list[Verdict]:
    """Judges several prefixes of several trajectories, one after the other."""

    async def ask() -> list[Verdict]:
        guard = ServerGuard.from_uri(uri, environ={})
        found = []
        for run in range(runs):
            for length in range(1, prefixes + 1):
                found.append(await guard.judge([f"run {run}", "first", *["more"] * (length - 1)]))
        await guard.close()
        return found

    return asyncio.run(ask())


def _runs(server: Recorder) -> set[str]:
    return {body["messages"][0]["content"].split("run ")[1].split("first")[0] for body in server.chats()}


def test_every_prefix_of_a_trajectory_goes_to_the_same_server() -> None:
    with scripted_guard(lambda p, b: (200, SAFE)) as one, scripted_guard(lambda p, b: (200, SAFE)) as two:
        found = verdicts(f"server:{one.url},{two.url}", runs=12, prefixes=3)
    assert {v.reason for v in found} == {None}
    assert len(one.chats()) + len(two.chats()) == 36
    assert not _runs(one) & _runs(two)
    assert _runs(one)
    assert _runs(two)


def test_a_server_that_is_gone_hands_its_trajectories_over() -> None:
    gone = f"http://127.0.0.1:{closed_port()}/v1"
    with scripted_guard(lambda p, b: (200, SAFE)) as server:
        found = verdicts(f"server:{gone},{server.url}", runs=8)
    assert {v.reason for v in found} == {None}


def test_what_was_turned_away_is_tried_again() -> None:
    replies: list[Reply] = [BUSY, (429, "slow down"), (200, SAFE)]
    with scripted_guard(lambda p, b: replies.pop(0)) as server:
        [verdict] = verdicts(f"server:{server.url}", runs=1)
    assert (verdict.reason, len(server.chats())) == (None, 3)
    with scripted_guard(lambda p, b: BUSY) as server:
        [verdict] = verdicts(f"server:{server.url}?retries=1", runs=1)
    assert (verdict.reason, len(server.chats())) == (Reason.GUARD_ERROR, 2)


@pytest.mark.parametrize("reply", [(500, "EngineCore encountered an issue"), (400, "no"), (200, "no JSON")])
def test_what_a_server_worked_on_is_never_sent_twice(reply: Reply) -> None:
    with scripted_guard(lambda p, b: reply) as server:
        [verdict] = verdicts(f"server:{server.url}", runs=1)
    assert verdict.reason is not None
    assert len(server.chats()) == 1


def test_a_server_that_keeps_failing_is_left_alone() -> None:
    with scripted_guard(lambda p, b: (500, "broken")) as server:
        found = verdicts(f"server:{server.url}?failures=2&rest=60", runs=5)
    assert [v.reason for v in found] == [Reason.GUARD_ERROR] * 2 + [Reason.GUARD_UNREACHABLE] * 3
    assert len(server.chats()) == 2
    assert "next try in" in (found[-1].detail or "")


def test_priority_and_salt_go_to_vllm_only() -> None:
    seen: list[dict[str, Any]] = []

    def chat(path: str, body: dict[str, Any]) -> Reply:
        seen.append(body)
        return 200, completion("safe", {"token_id:1": -0.1, "token_id:2": -2.4})

    for owner, expected in (("vllm", (-1, "mine")), ("other", (None, None))):
        seen.clear()
        with scripted_guard(chat, owner=owner) as server:
            verdicts(f"server:{server.url}?priority=-1&cache_salt=mine&pack=agentdog-1.0-binary", runs=1)
        assert (seen[0].get("priority"), seen[0].get("cache_salt")) == expected


def test_inline_checks_go_first_and_each_project_has_a_salt_of_its_own() -> None:
    async def ask(url: str) -> None:
        guard = ServerGuard.from_uri(f"server:{url}?model=guard&cache_salt=project", environ={})
        for project, urgent in (("a", False), ("b", True), ("a", True)):
            with asking(project, urgent=urgent):
                await guard.judge(["run", "first"])
        await guard.judge(["run", "first"])
        await guard.close()

    def chat(path: str, body: dict[str, Any]) -> Reply:
        return 200, completion("safe", {"token_id:1": -0.1, "token_id:2": -2.4})

    with scripted_guard(chat, owner="vllm") as server:
        asyncio.run(ask(server.url))
    assert [body.get("priority") for body in server.chats()] == [None, -1, -1, None]
    salts = [body["cache_salt"] for body in server.chats()]
    assert salts[0] == salts[2]
    assert len(set(salts)) == 3


def test_a_server_that_refuses_priorities_is_asked_without() -> None:
    def chat(path: str, body: dict[str, Any]) -> Reply:
        return 200, completion("safe", {"token_id:1": -0.1, "token_id:2": -2.4})

    with scripted_guard(chat, owner="vllm", refuses=("priority",)) as server:
        [verdict] = verdicts(f"server:{server.url}?priority=-1", runs=1)
    assert verdict.reason is None
    assert "priority" not in server.chats()[0]


def test_labels_are_asked_for_without_a_form_where_the_server_ignores_every_form() -> None:
    with scripted_guard(
        lambda p, b: (200, completion("unsafe", {"unsafe": -0.1, "safe": -3.0})), knows=("top_logprobs",)
    ) as server:
        [verdict] = verdicts(f"server:{server.url}", runs=1)
    assert "labels: the answer held none" in (verdict.detail or "")
    assert "response_format" not in server.chats()[1]


def test_log_probabilities_under_a_mask_are_not_believed() -> None:
    """A server whose forced tokens are certain to itself tells of its mask, not of its model."""
    listed = completion("safe", {"safe": -0.2, "unsafe": -1.7})
    for knows, forces in ((("top_logprobs", "masked"), False), (("top_logprobs", "allowed_token_ids"), True)):
        with scripted_guard(lambda p, b: (200, listed), owner="vllm", knows=knows) as server:
            [verdict] = verdicts(f"server:{server.url}?pack=agentdog-1.0-binary", runs=1)
        assert verdict.p_unsafe == pytest.approx(1 / (1 + 2.718281828**1.5))
        assert ("return_tokens_as_token_ids" in server.chats()[0]) is forces


def test_a_long_run_is_cut_and_a_huge_step_is_too_long() -> None:
    """The scripted server's tokens are bytes."""

    async def ask(url: str) -> list[Verdict]:
        guard = ServerGuard.from_uri(f"server:{url}?pack=agentdog-1.0-binary", environ={})
        pieces = ["header", *[f"\n\n[USER]: step {n} " + "x" * 80 for n in range(40)]]
        found = [await guard.judge(pieces), await guard.judge(["header", "x" * 3000])]
        await guard.close()
        return found

    safe = completion("safe", {"token_id:1": -0.1, "token_id:2": -2.4})
    with scripted_guard(lambda p, b: (200, safe), owner="vllm", context=3000) as server:
        cut, huge = asyncio.run(ask(server.url))
    [asked] = server.chats()
    text = asked["messages"][0]["content"]
    assert "[CUT]: steps " in text
    assert "header\n\n[USER]: step 0 " in text
    assert "step 39 " in text
    assert "step 20 " not in text
    assert len(text.encode()) < 3000
    assert "were left out" in (cut.detail or "")
    assert (huge.reason, "of" in (huge.detail or "")) == (Reason.TOO_LONG, True)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("margin=-1", "margin"),
        ("retries=-1", "retries"),
        ("failures=0", "failures"),
        ("ca=/none.pem", "ca"),
        ("rest=0", "rest"),
    ],
)
def test_wrong_options_are_named(query: str, message: str) -> None:
    with pytest.raises(GuardUnavailable, match=message):
        ServerGuard.from_uri(f"server:http://127.0.0.1:1/v1?{query}", environ={})
