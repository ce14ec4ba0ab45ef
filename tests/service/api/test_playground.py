"""A document is judged and kept nowhere: what is read, what is refused and why, what is taken out first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentdog.client import ApiError, Client, InvalidRequest
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.session import EmbeddedSession
from agentdog.service.api import playground
from agentdog.service.redaction import build
from agentdog.trajectory import Header
from dashboard.views.playground import EXAMPLE
from tests.support.live_api import DEADLINE_S, app_over, serving
from tests.support.stores import running_server, store_at

CAPTURES = Path(__file__).parents[2] / "data" / "captures"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running_server() as server, serving(app_over(store_at(server.url), EmbeddedGuard())) as base:
        yield Client(base)


def test_a_chat_is_judged_step_by_step_and_not_stored(client: Client) -> None:
    played = client.play(json.dumps(EXAMPLE))
    assert (played["format"], played["total"]) == ("chat", 1)
    (run,) = played["runs"]
    assert run["view"]["summary"]["verdict"] == "unsafe"
    (incident,) = run["view"]["incidents"]
    assert (incident["onset"], incident["source_step"]) == (3, 2)
    assert incident["labels"]["risk_source"] == "indirect_prompt_injection"
    assert {flow["value"] for flow in run["flows"]["3"]} >= {"audit@evil.example"}
    assert client.trajectories()["items"] == []


def test_recorded_otlp_is_read_as_the_receiver_reads_it(client: Client) -> None:
    body = (CAPTURES / "openai-traceloop-sdk").glob("*/*-traces.pb")
    played = client.play(next(iter(sorted(body))).read_bytes())
    assert played["format"] == "otlp"
    assert played["runs"][0]["view"]["steps"]


def test_a_labelled_row_comes_with_what_its_annotators_say(client: Client) -> None:
    row = {
        "id": 7,
        "label": 0,
        "content": [[{"role": "user", "content": "Hello"}, {"role": "agent", "thought": "Greet", "action": "Hi!"}]],
    }
    played = client.play(json.dumps(row))
    assert played["format"] == "atbench"
    assert played["runs"][0]["annotated"]["label"] == 0


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "it is empty"),
        ("not json at all", "line 1"),
        ('{"a": 1}', "known format"),
        ("[]", "known format"),
        (b"\x1f\x8b0", "gzip"),
        ("[" * 100_000, "deep"),
        ("x" * (playground.MOST_BYTES + 1), "at most"),
        (json.dumps([EXAMPLE[0]] * 501), "at most 500 are judged here"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_reason(client: Client, document: str | bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as refused:
        client.play(document)
    assert "/tmp" not in str(refused.value)


class _Computing(EmbeddedGuard):
    """Judges nothing before it is told to, as one that computes for long would."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.may_end = threading.Event(), threading.Event()

    def open(self, header: Header) -> EmbeddedSession:
        self.began.set()
        assert self.may_end.wait(DEADLINE_S)
        return super().open(header)


def test_others_are_answered_while_a_guard_computes() -> None:
    guard = _Computing()
    with (
        running_server() as server,
        serving(app_over(store_at(server.url), guard)) as base,
        ThreadPoolExecutor(1) as elsewhere,
    ):
        played = elsewhere.submit(Client(base, timeout=DEADLINE_S).play, json.dumps(EXAMPLE))
        try:
            assert guard.began.wait(DEADLINE_S)
            assert Client(base, timeout=DEADLINE_S).projects()["projects"] == {}
            assert not played.done()
        finally:
            guard.may_end.set()
        assert played.result(DEADLINE_S)["runs"][0]["view"]["summary"]["verdict"] == "unsafe"


def test_what_takes_too_long_is_told_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playground, "DEADLINE_S", 0.0)
    with pytest.raises(ApiError, match="agentdog judge"):
        client.play(json.dumps(EXAMPLE))


def test_bytes_that_are_no_base64_are_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="base64"):
        client._send("POST", "playground", {"content": "§", "encoding": "base64"})


def test_secrets_are_taken_out_before_the_guard_reads_them() -> None:
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    case = playground._clean(
        playground._read(json.dumps([{"role": "user", "content": f"Use {secret}."}, EXAMPLE[-1]]).encode(), True)[1][0],
        build(b"k" * 32, secrets=True, personal=(), patterns={}),
    )
    assert secret not in str(case.trajectory)
    assert "[secret:" in str(case.trajectory.steps[0].content)
