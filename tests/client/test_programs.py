"""The two hooks that are programs, as Claude Code and MCP clients start them: the standard library alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.client.answers import FAILURES, checks, failing, said

SERVER = """
import json, sys
for line in sys.stdin:
    sent = json.loads(line)
    for each in sent if isinstance(sent, list) else [sent]:
        print("SERVED " + each["method"], file=sys.stderr, flush=True)
        if "id" in each:
            text = "result of " + each["params"].get("name", "?") if "params" in each else "pong"
            result = {"content": [{"type": "text", "text": text}]}
            print(json.dumps({"jsonrpc": "2.0", "id": each["id"], "result": result}), flush=True)
"""


def hook(event: Any, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    given = ["--deadline", "20", "--on-not-evaluated", "deny", "--url", url, *options]
    return subprocess.run(
        [sys.executable, "-m", "agentdog.client.hooks.claude_code", *given],
        input=event if isinstance(event, str) else json.dumps(event),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def event(transcript: Path | None = None) -> dict[str, Any]:
    found = {"hook_event_name": "PreToolUse", "session_id": "s1", "tool_name": "Bash", "tool_use_id": "t9"}
    return found | {"tool_input": {"command": "ls"}, "transcript_path": str(transcript) if transcript else ""}


@pytest.mark.parametrize(("decision", "permission"), [("deny", "deny"), ("review", "ask")])
def test_claude_code_is_told_what_becomes_of_the_call(decision: str, permission: str) -> None:
    with checks(said(decision)) as (base, _):
        done = hook(event(), base)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["hookSpecificOutput"]
    assert (answer["hookEventName"], answer["permissionDecision"]) == ("PreToolUse", permission)
    assert "Because." in answer["permissionDecisionReason"]


def test_claude_code_decides_by_its_own_permissions_where_nothing_is_against_the_call(tmp_path: Path) -> None:
    rows = [
        {"type": "summary", "summary": "x"},
        {"type": "user", "message": {"role": "user", "content": "List the files."}},
        {"type": "user", "isSidechain": True, "message": {"role": "user", "content": "A sub-agent's."}},
        {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}},
    ]
    transcript = tmp_path / "t.jsonl"
    transcript.write_text("\n".join(map(json.dumps, rows)) + '\n{"type": "assist')
    with checks(said("allow")) as (base, asked):
        done = hook(event(transcript), base)
    assert (done.returncode, json.loads(done.stdout)) == (0, {})
    (body,) = asked
    assert [message["content"] for message in body["messages"]] == [
        "List the files.",
        [{"type": "text", "text": "Yes."}],
    ]
    assert body["action"] == {"tool": "Bash", "arguments": {"command": "ls"}, "id": "t9"}
    assert body["trajectory_id"] == "s1"


@pytest.mark.parametrize("how", [how for how in FAILURES if how != "hangs"])
def test_claude_code_s_call_is_denied_in_every_failure_where_that_was_chosen(how: str) -> None:
    with failing(how) as base:
        answer = json.loads(hook(event(), base).stdout)["hookSpecificOutput"]
    assert answer["permissionDecision"] == "deny"


@pytest.mark.parametrize("sent", ["", "[]", "{", '{"tool_input": {}}'])
def test_what_is_no_event_is_wrong_usage_which_claude_code_takes_as_a_denial(sent: str) -> None:
    assert hook(sent, "http://127.0.0.1:9").returncode == 2


def test_deadline_and_choice_have_no_default() -> None:
    for module in ("claude_code", "mcp_proxy"):
        command = [sys.executable, "-m", f"agentdog.client.hooks.{module}", "--", "true"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, input="")
        assert done.returncode == 2
        assert "--deadline" in done.stderr


def proxy(lines: list[bytes], url: str, choice: str = "deny") -> subprocess.CompletedProcess[bytes]:
    given = ["--deadline", "20", "--on-not-evaluated", choice, "--url", url, "--", sys.executable, "-c", SERVER]
    return subprocess.run(
        [sys.executable, "-m", "agentdog.client.hooks.mcp_proxy", *given],
        input=b"\n".join(lines) + b"\n",
        capture_output=True,
        timeout=180,
        check=False,
    )


def call(number: object, tool: str = "send") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": {"a": 1}}}


PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def answers(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    return {json.dumps(row.get("id")): row for row in map(json.loads, done.stdout.splitlines())}


def test_a_denied_call_never_reaches_the_server_and_is_answered_with_why() -> None:
    with checks(said("deny")) as (base, asked):
        done = proxy([json.dumps(PING).encode(), json.dumps(call("x")).encode()], base)
    found = answers(done)
    assert done.returncode == 0
    assert found["1"]["result"]["content"][0]["text"] == "pong"
    assert found['"x"']["result"]["isError"] is True
    assert "Because." in found['"x"']["result"]["content"][0]["text"]
    assert b"SERVED tools/call" not in done.stderr
    assert asked[0]["action"]["arguments"] == {"a": 1}


def test_an_allowed_call_passes_and_its_result_is_part_of_what_was_before_the_next() -> None:
    with checks(said("allow")) as (base, asked):
        server = [sys.executable, "-c", SERVER]
        options = ["--deadline", "20", "--on-not-evaluated", "deny", "--url", base, "--", *server]
        running = subprocess.Popen(
            [sys.executable, "-m", "agentdog.client.hooks.mcp_proxy", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert running.stdin is not None
        assert running.stdout is not None
        for number, tool in ((1, "read"), (2, "send")):
            running.stdin.write(json.dumps(call(number, tool)).encode() + b"\n")
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["result"]["content"][0]["text"] == f"result of {tool}"
        running.communicate(timeout=30)
    assert running.returncode == 0
    assert asked[0]["messages"] == []
    assert [message.get("content") for message in asked[1]["messages"]] == [None, "result of read"]


def test_a_batch_with_calls_is_taken_apart() -> None:
    with checks(said("deny")) as (base, _):
        done = proxy([json.dumps([PING, call(7)]).encode()], base)
    found = answers(done)
    assert found["1"]["result"]["content"][0]["text"] == "pong"
    assert found["7"]["result"]["isError"] is True
    assert b"SERVED tools/call" not in done.stderr


def test_a_line_that_cannot_be_read_is_not_passed_on() -> None:
    with checks(said("allow")) as (base, _):
        done = proxy([b'{"method": "tools/call",', b""], base)
    (row,) = map(json.loads, done.stdout.splitlines())
    assert row["error"]["code"] == -32700
    assert b"SERVED" not in done.stderr


@pytest.mark.parametrize(("choice", "served"), [("deny", False), ("allow", True), ("review", False)])
def test_the_proxy_does_what_was_chosen_when_nobody_answers(choice: str, served: bool) -> None:
    with failing("nobody") as base:
        done = proxy([json.dumps(call(1)).encode()], base, choice)
    assert (b"SERVED tools/call" in done.stderr) is served
    assert answers(done)["1"]["result"].get("isError", False) is not served


def test_a_server_that_cannot_be_started_is_named() -> None:
    command = [sys.executable, "-m", "agentdog.client.hooks.mcp_proxy", "--deadline", "1", "--on-not-evaluated", "deny"]
    done = subprocess.run([*command, "--", "/no/such/server"], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 2
    assert "cannot be started" in done.stderr
