"""A short form's agreement with the full one: measured and kept, or said to be unmeasured wherever it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentdog.cli import cli
from agentdog.guards import Outcome, Reason, Verdict, factory
from agentdog.guards.agreement import Pair, compare
from tests.support.llama_server import llama_server, missing
from tests.support.ports import closed_port
from tests.support.scripted_guard import Reply, completion, scripted_guard

FULL, SHORT = "agentdog-1.5-coarse", "agentdog-1.5-coarse-short"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten chats, and a data folder of one's own."""
    monkeypatch.setenv("AGENTDOG_DATA", str(tmp_path / "data"))
    folder = tmp_path / "runs"
    folder.mkdir()
    for number in range(10):
        turns = [{"role": "user", "content": f"case {number}"}, {"role": "assistant", "content": "Done."}]
        (folder / f"{number}.json").write_text(json.dumps({"messages": turns}))
    return folder


def thinking(path: str, body: dict[str, Any]) -> Reply:
    """Thinks cases 0 to 4 unsafe, and 9 past all budget; answers at once that 0 to 3 are."""
    text = body["messages"][0]["content"]
    case = int(text.split("case ")[1][0]) if "case " in text else 0
    if body["messages"][-1]["role"] == "assistant":
        word, other = (" unsafe", " safe") if case < 4 else (" safe", " unsafe")
        return 200, completion(word, {word: -0.1, other: -2.4})
    if case == 9:
        return 200, completion("<Analysis>\nIt goes on", finish="length")
    verdict = "unsafe" if case < 5 else "safe"
    return 200, completion(f"<Analysis>\nWell.\n</Analysis>\n\n<Judgment> {verdict} </Judgment>")


def packs(*arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(cli, ["packs", *arguments, "--json"], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


def notes(uri: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """What the guard's own note says, and the check."""
    info = factory.build(uri, folder).info
    checks = json.loads(CliRunner().invoke(cli, ["guards", "check", uri, "--json"], catch_exceptions=False).stdout)
    return info.note or "", {c["name"]: c for c in checks["checks"]}["short form"]


def test_what_was_measured_stands_wherever_the_short_form_is_used(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "packs"
    with scripted_guard(thinking, owner="vllm", model="AgentDoG1.5-Qwen3.5-4B") as server:
        uri = f"server:{server.url}?model=AgentDoG1.5-Qwen3.5-4B&pack={SHORT}"
        note, check = notes(uri, folder)
        assert ("unmeasured" in note, check["status"]) == (True, "warn")
        assert "packs agreement" in check["mend"]
        code, found = packs("agreement", f"server:{server.url}", str(runs))
        assert code == 0
        assert (found["asked"], found["judged"], found["unsafe_full"], found["unsafe_short"]) == (10, 9, 5, 4)
        assert found["agreement"]["value"] == pytest.approx(8 / 9)
        assert found["agreement"]["low"] < 8 / 9 < found["agreement"]["high"] <= 1
        assert found["kappa"]["value"] == pytest.approx((8 / 9 - 40 / 81) / (41 / 81))
        assert found["not_evaluated"] == {SHORT: {}, FULL: {Reason.UNPARSABLE: 1}}
        note, check = notes(uri, folder)
        assert ("88.9% of 9 trajectories" in note, check["status"]) == (True, "ok")
        again = factory.build(f"{uri}&tools=none", folder).info.note
        assert "unmeasured" in (again or ""), "what is shown another text was not measured"
    _, listed = packs("list")
    measured = {p["name"]: p.get("agreement") for p in listed}
    assert [one["model"] for one in measured[SHORT]] == ["AgentDoG1.5-Qwen3.5-4B"]
    assert measured["agentdog-1.5-unified-short"] == []
    shown = CliRunner().invoke(cli, ["packs", "list"], catch_exceptions=False).stdout
    assert "agreement with agentdog-1.5-unified: unmeasured" in shown


def test_nobody_there_is_unmeasured_and_nothing_is_kept(runs: Path, tmp_path: Path) -> None:
    uri = f"server:http://127.0.0.1:{closed_port()}/v1?retries=0"
    code, found = packs("agreement", uri, str(runs), "--pack", SHORT, "--limit", "2")
    assert (code, found["asked"], found["judged"], found["agreement"]["value"]) == (3, 2, 0, None)
    assert found["not_evaluated"][FULL] == {Reason.GUARD_UNREACHABLE: 2}
    assert not (tmp_path / "data" / "packs").exists()
    shown = CliRunner().invoke(cli, ["packs", "agreement", uri, str(runs), "--pack", SHORT], catch_exceptions=False)
    assert "unmeasured" in shown.stdout


@pytest.mark.parametrize(
    ("uri", "message"),
    [("embedded", "asks no model"), ("server:http://127.0.0.1:1/v1?model=x", "no short form")],
)
def test_what_has_no_short_form_is_refused(runs: Path, uri: str, message: str) -> None:
    result = CliRunner().invoke(cli, ["packs", "agreement", uri, str(runs)])
    assert message in str(result.exception)


def test_kappa_is_not_given_where_chance_explains_everything() -> None:
    safe = Verdict(outcome=Outcome.SAFE, guard="g", p_unsafe=0.2)
    found = compare([Pair(safe, safe)] * 5)
    assert (found["agreement"].value, found["kappa"].value, found["shift"].value) == (1.0, None, 0.0)


@pytest.mark.slow
@pytest.mark.xdist_group("models")
def test_both_forms_are_asked_of_a_real_model(runs: Path) -> None:
    """SmolLM2 was not trained on either: that both are asked, and each outcome told, is what is tested."""
    if why := missing():
        pytest.skip(why)
    with llama_server() as (url, _):
        uri = f"server:{url}?model=smollm2&timeout=60&concurrency=1"
        code, found = packs("agreement", uri, str(runs), "--limit", "1", "--pack", FULL)
    assert found["asked"] == 1
    assert found["not_evaluated"][SHORT] == {}, "the short form always has its word"
    # A thousand tokens take a busy core longer than the test has.
    assert set(found["not_evaluated"][FULL]) <= {Reason.UNPARSABLE, Reason.TIMED_OUT}
    assert (code, found["written"][SHORT]) == (0 if found["judged"] else 3, 1)
