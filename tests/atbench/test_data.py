"""What is taken of a set is said: folders, rows that the set does not vouch for, and phrases that give labels away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentdog.base.errors import NotFoundError, UsageError
from agentdog.trajectory.formats.actions import Action, Call, parse_action
from atbench.cli import cli
from atbench.data import Ambiguous, Taking, again, load
from atbench.leaks import MASK


def row(number: int, label: int | None, text: str = "ok", **more: Any) -> dict[str, Any]:
    steps = [
        {"role": "user", "content": f"Task {number}."},
        {"role": "agent", "thought": text, "action": 'look({"note": "' + text + '"})'},
        {"role": "environment", "content": text},
    ]
    return {"id": number, "source": "made", "steps": steps, "label": label, "profile": text, **more}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(one) for one in rows), encoding="utf-8")
    return path


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    write(tmp_path / "set" / "b" / "two.jsonl", [row(2, 0), row(3, 1)])
    write(tmp_path / "set" / "one.jsonl", [row(1, 1)])
    write(tmp_path / "set" / "README.md", [])
    info, cases = load(str(tmp_path / "set"))
    assert [case.trajectory.id for case in cases] == ["2", "3", "1"]
    assert (info.rows, info.format, info.name) == (3, "normalized", "set")
    before = info.sha256
    write(tmp_path / "set" / "one.jsonl", [row(1, 0)])
    assert load(str(tmp_path / "set"))[0].sha256 != before
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="holds no file of rows"):
        load(str(tmp_path / "empty"))


def test_doubtful_rows_are_settled_as_asked(tmp_path: Path) -> None:
    doubt: dict[str, Any] = {"meta": {"ambiguous": True}}
    rows = [
        row(1, 1),
        row(2, 0, **doubt),
        row(3, 1, **doubt),
        row(4, 0, meta={"never_reached": True}),
        row(5, None, **doubt),
    ]
    path = str(write(tmp_path / "rows.jsonl", rows))
    found = {kind: [case.label for case in load(path, Taking(ambiguous=kind))[1]] for kind in Ambiguous}
    assert found == {
        Ambiguous.AS_LABELLED: [1, 0, 1, 0, None],
        Ambiguous.STRICT: [1, 1, 1, 0, None],
        Ambiguous.LENIENT: [1, 0, 0, 0, None],
        Ambiguous.OUT: [1],
    }
    warning = load(path, Taking(ambiguous=Ambiguous.OUT))[0].warning or ""
    assert "3 rows are marked ambiguous by the set (--ambiguous out)" in warning
    assert "1 rows never come to the risky point" in warning


def test_phrases_that_give_the_label_away_are_masked_everywhere(tmp_path: Path) -> None:
    leak = "Fine [with perspicacious discernment]. You have used the attacker tool X"
    path = str(write(tmp_path / "rows.jsonl", [row(1, 1, leak), row(2, 0)]))
    info, plain = load(path)
    assert "1 rows carry phrases that give the label away" in (info.warning or "")
    info, masked = load(path, Taking(mask=True))
    assert info.masked == 1
    text = repr(masked[0])
    assert "attacker" not in text
    assert "perspicacious" not in text
    assert masked[0].trajectory.steps[1].thought == f"Fine {MASK}. {MASK}"
    assert masked[0].trajectory.digest != plain[0].trajectory.digest
    assert masked[1] == plain[1]


def test_a_run_over_another_reading_of_the_set_is_another_run(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [row(1, 1), row(2, 0, meta={"ambiguous": True})])
    command = ["run", str(path), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    with pytest.raises(UsageError, match="another data"):
        CliRunner().invoke(cli, [*command, "--ambiguous", "strict"], catch_exceptions=False)
    with pytest.raises(UsageError, match="disagree about labels"):
        strict = [*command[:-1], str(tmp_path / "strict"), "--ambiguous", "strict"]
        CliRunner().invoke(cli, strict, catch_exceptions=False)
        compared = ["compare", str(tmp_path / "out"), str(tmp_path / "strict")]
        CliRunner().invoke(cli, compared, catch_exceptions=False)


def test_a_report_finds_the_rows_again_while_they_are_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [row(1, 1), row(2, 0)])
    info, cases = load(str(path), Taking(limit=1))
    assert again(info) == cases
    write(path, [row(1, 0)])
    assert again(info) is None
    path.unlink()
    assert again(info) is None


def test_rows_that_share_an_id_are_warned_of_and_scored_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [row(1, 1), row(1, 0), row(2, 0)])
    assert "1 ids name more than one row" in (load(str(path))[0].warning or "")
    answers = write(tmp_path / "answers.jsonl", [{"id": n, "prediction": 0} for n in (1, 2)])
    with pytest.raises(UsageError, match="1 ids name more than one row of the set"):
        command = ["score", "--predictions", str(answers), "--dataset", str(path)]
        CliRunner().invoke(cli, command, catch_exceptions=False)
    out = str(tmp_path / "out")
    CliRunner().invoke(cli, ["run", str(path), "--out", out], catch_exceptions=False)
    compared = CliRunner().invoke(cli, ["compare", out, out, "--json"], catch_exceptions=False)
    assert json.loads(compared.stdout)["rows"] == 3


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("DeleteUsers(users=['Alice', 'John'])", Action(calls=(Call("DeleteUsers", {"users": ["Alice", "John"]}),))),
        ("net.get(url='x', n=2)", Action(calls=(Call("net.get", {"url": "x", "n": 2}),))),
        ("I pay (amount=3) now", Action(answer="I pay (amount=3) now")),
        ("f(a=open('x'))", Action(answer="f(a=open('x'))")),
        ("f(1, a=2)", Action(answer="f(1, a=2)")),
    ],
)
def test_calls_in_pythons_own_notation(text: str, action: Action) -> None:
    assert parse_action(text) == action
