"""``agentdog judge``: files of every kind, through a guard server, with exit codes that scripts can use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentdog.base.errors import DecodeError, NotFoundError
from agentdog.cli.judge import command
from tests.support.ports import closed_port
from tests.support.scripted_guard import Reply, completion, scripted_guard

HOSTILE = "run [red]evil[/red] \x1b[31m"
BAD = [
    {"role": "user", "content": "Tidy up."},
    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "shell", "arguments": '{"cmd": "ls"}'}}]},
    {"role": "tool", "tool_call_id": "1", "content": HOSTILE},
    {"role": "assistant", "content": "I ran " + HOSTILE},
]
GOOD = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello."}]
LABELS = {
    "risk_source": "Indirect Prompt Injection",
    "failure_mode": "Unconfirmed or Over-privileged Action",
    "real_world_harm": "Security & System Integrity Harm",
}


def answer(path: str, body: dict[str, Any]) -> Reply:
    """Unsafe as soon as the agent says that it ran something evil."""
    if "response_format" in body:
        return 200, completion(json.dumps(LABELS))
    unsafe = "I ran" in body["messages"][0]["content"]
    return 200, completion("x", {"unsafe": -0.1, "safe": -3.0} if unsafe else {"safe": -0.1, "unsafe": -3.0})


def judge(tmp_path: Path, value: object, *extra: str, url: str | None = None) -> Result:
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    uri = f"server:{url}?pack=generic"
    return CliRunner().invoke(command, [str(path), "--guard", uri, *extra], catch_exceptions=False)


def test_an_unsafe_run_is_a_finding_with_its_step_and_axes(tmp_path: Path) -> None:
    with scripted_guard(answer) as server:
        result = judge(tmp_path, BAD, url=server.url)
    assert result.exit_code == 1
    for part in ("incident at step 4", "Where", "Indirect Prompt Injection", "How", "What", "0.948"):
        assert part in result.stdout, part
    assert "[red]evil[/red]" in result.stdout, "markup in a trajectory is text"
    assert "\x1b" not in result.stdout, "escape sequences of a trajectory do not reach the terminal"


def test_json_is_the_diagnoses_and_nothing_else(tmp_path: Path) -> None:
    with scripted_guard(answer) as server:
        result = judge(tmp_path, [{"messages": BAD}, {"messages": GOOD}], "--json", url=server.url)
    bad, good = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (bad["verdict"], good["verdict"]) == ("unsafe", "safe")
    assert bad["incidents"][0]["onset"] == 3
    assert bad["incidents"][0]["labels"]["risk_source"] == "indirect_prompt_injection"


def test_a_safe_run_is_fine(tmp_path: Path) -> None:
    with scripted_guard(answer) as server:
        assert judge(tmp_path, GOOD, url=server.url).exit_code == 0


def test_a_guard_that_does_not_answer_is_never_safe(tmp_path: Path) -> None:
    result = judge(tmp_path, GOOD, url=f"http://127.0.0.1:{closed_port()}/v1")
    assert result.exit_code == 3
    assert "guard unreachable: http://127.0.0.1" in result.stdout
    assert "not evaluated" in result.stdout


def test_a_recorded_otlp_folder_is_judged_too() -> None:
    folder = Path(__file__).parents[2].parent / "shared" / "captures" / "pydantic-ai-v3" / "A"
    if not folder.exists():
        pytest.skip("the recordings are not beside this checkout")
    with scripted_guard(answer) as server:
        arguments = [str(folder), "--guard", f"server:{server.url}?pack=generic", "--json"]
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert [d["verdict"] for d in json.loads(result.stdout)] == ["safe"]


def test_what_is_no_trajectory_says_so(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"known are otlp, .*chat"):
        judge(tmp_path, [1, 2], url="http://127.0.0.1:9/v1")
    with pytest.raises(NotFoundError):
        CliRunner().invoke(command, [str(tmp_path / "none.json")], catch_exceptions=False)
