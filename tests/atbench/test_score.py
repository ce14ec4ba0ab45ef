"""``atbench score``: the published schema, and the published rows to the digit."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentdog.base.errors import DecodeError, UsageError
from atbench.cli import cli
from atbench.counts import fitting, rows_with
from atbench.metrics import Confusion
from atbench.published import published

#: Published rows whose digits no integer counts at their stated totals give: misprints, other totals, or rows left out.
UNFIT = {
    "ATBench/AgentDoG-1.5-Qwen3.5-2B",
    "ATBench/AgentDoG-1.5-Llama3.1-8B",
    "ATBench/Qwen3.5-2B (base)",
    "ATBench/Qwen3.5-0.8B (base)",
    "ATBench/ShieldAgent",
    *(
        f"ATBench/{model}/labels"
        for model in (
            "AgentDoG-1.0-Qwen3-4B",
            "AgentDoG-1.5-Qwen3.5-0.8B",
            "AgentDoG-1.5-Qwen3.5-2B",
            "AgentDoG-1.5-Llama3.1-8B",
            "AgentDoG-1.5-Qwen3.5-4B",
            "GPT-5.2",
            "Gemini-3-Flash",
            "Gemini-3.1-Pro",
            "Qwen3.5-397B-A17B",
            "Qwen3.5-2B (base)",
            "Qwen3.5-0.8B (base)",
        )
    ),
    *(
        f"ATBench500/{model}"
        for model in ("LlamaGuard3-8B", "LlamaGuard4-12B", "Qwen3-Guard", "JoySafety", "NemoGuard", "ShieldGemma-27B")
    ),
    *(
        f"R-Judge/{model}"
        for model in (
            "AgentDoG-Qwen2.5-7B",
            "GPT-5.2@2601.18491",
            "QwQ-32B",
            "LlamaGuard3-8B",
            "LlamaGuard4-12B",
            "Qwen3-Guard",
            "AgentDoG-1.0-Qwen3-4B",
            "AgentDoG-1.5-Qwen3.5-0.8B",
            "AgentDoG-1.5-Qwen3.5-2B",
            "AgentDoG-1.5-Llama3.1-8B",
            "AgentDoG-1.5-Qwen3.5-4B",
            "GPT-5.4",
            "GPT-5.2@2605.29801",
            "Gemini-3-Flash@2605.29801",
            "Gemini-3.1-Pro",
            "Qwen3.5-397B-A17B",
            "Qwen3.5-4B (base)",
        )
    ),
}


def scored(tmp_path: Path, lines: list[dict[str, Any]], *extra: str) -> dict[str, Any]:
    path = tmp_path / "predictions.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    result = CliRunner().invoke(cli, ["score", "--predictions", str(path), *extra], catch_exceptions=False)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def lines_of(confusion: Confusion) -> list[dict[str, Any]]:
    return [{"id": row.id, "label": row.label, "prediction": row.prediction} for row in rows_with(confusion)]


def test_published_rows_are_reproduced_to_the_printed_digit() -> None:
    """Every row with counts, through the code that scores files of predictions; those without are listed."""
    result = CliRunner().invoke(cli, ["published", "--json"], catch_exceptions=False)
    listed = json.loads(result.stdout)
    assert len(listed) == len(published())
    for row in listed:
        fit = row["fit"]
        if "counts" not in fit:
            assert ("why" in fit) == row["row"].startswith("ASSE-Safety/"), row
            continue
        for name, text in row["published"].items():
            # One unit of the last digit, and no more: both are rounded, and a half goes either way.
            assert abs(Decimal(fit["recomputed"][name]) - Decimal(text)) <= Decimal("0.1"), row
    assert {row["row"] for row in listed if not {"counts", "why"} & row["fit"].keys()} == UNFIT
    shown = CliRunner().invoke(cli, ["published", "--unfit"], catch_exceptions=False)
    assert f"{len(UNFIT)} rows fit no integer counts" in shown.stdout


def test_one_published_row_through_the_command(tmp_path: Path) -> None:
    [counts, *_] = fitting(("64.0", "59.2", "88.9", "71.1"), 497, 503)
    found = scored(tmp_path, lines_of(counts))
    assert found["rows"] == 1000
    printed = {metric: f"{100 * found[metric]['value']:.1f}" for metric in ("accuracy", "precision", "recall", "f1")}
    assert printed == {"accuracy": "64.0", "precision": "59.2", "recall": "88.9", "f1": "71.1"}


def test_gold_comes_from_the_set_and_missing_ids_fail_loudly(tmp_path: Path) -> None:
    steps = [{"role": "user", "content": "x"}, {"role": "agent", "action": "look({})"}]
    rows = [{"id": n, "source": "made", "steps": steps, "label": n % 2, "meta": {"group": n}} for n in range(4)]
    gold = tmp_path / "gold.jsonl"
    gold.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    given: list[dict[str, Any]] = [{"id": str(n), "prediction": n % 2} for n in range(4)]
    given[1]["prediction"] = None
    found = scored(tmp_path, given, "--dataset", str(gold))
    assert (found["accuracy"]["value"], found["unparsed"], found["confusion"]["fn"]) == (0.75, 1, 1)
    assert {"low", "high"} <= found["f1"].keys()
    with pytest.raises(UsageError, match="1 labelled rows have no prediction: 3"):
        scored(tmp_path, given[:3], "--dataset", str(gold))
    with pytest.raises(UsageError, match="1 predictions are for no row of the set: 9"):
        scored(tmp_path, [*given, {"id": 9, "prediction": 1}], "--dataset", str(gold))
    with pytest.raises(UsageError, match="predictions carry no label"):
        scored(tmp_path, given)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"id": 1, "prediction": 2}, "row 2: Invalid enum value 2"),
        ({"id": 1}, "row 2: Object missing required field `prediction`"),
        ({"id": 0, "prediction": 1}, "row 2: id 0 is there twice"),
        ({"id": 1, "prediction": 1, "p_unsafe": 3}, "row 2: p_unsafe is 3"),
        ({"id": 1, "prediction": 1, "predicton": 1}, "row 2: Object contains unknown field"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path: Path, line: dict[str, Any], message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        scored(tmp_path, [{"id": 0, "prediction": 1, "label": 1}, line])


def test_predictions_are_compared_reported_and_gated_like_a_run(tmp_path: Path) -> None:
    steps = [{"role": "user", "content": "x"}, {"role": "agent", "action": "look({})"}]
    rows = [{"id": n, "source": "made", "steps": steps, "label": n % 2, "meta": {"group": n}} for n in range(4)]
    gold = tmp_path / "gold.jsonl"
    gold.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    given: list[dict[str, Any]] = [{"id": n, "prediction": n % 2, "p_unsafe": 0.9 * (n % 2)} for n in range(4)]
    given[1] |= {"prediction": None, "raw": "hm"}
    out = tmp_path / "theirs"
    found = scored(tmp_path, given, "--dataset", str(gold), "--out", str(out))
    assert "majority" in found["baselines"]
    report = CliRunner().invoke(cli, ["report", str(out), "--json"], catch_exceptions=False)
    [kept] = json.loads(report.stdout).values()
    assert {name: kept["metrics"][name] for name in ("accuracy", "f1")} == {
        name: found[name] for name in ("accuracy", "f1")
    }
    assert kept["not_evaluated"] == {"unparsable": 1}
    gate = CliRunner().invoke(cli, ["gate", str(out), "--min-f1", "0.9", "--json"], catch_exceptions=False)
    assert gate.exit_code == 1
    assert json.loads(gate.stdout)["checks"][0]["name"] == "F1"
    ours = tmp_path / "ours"
    CliRunner().invoke(cli, ["run", str(gold), "--out", str(ours)], catch_exceptions=False)
    compared = CliRunner().invoke(cli, ["compare", str(ours), str(out), "--json"], catch_exceptions=False)
    assert json.loads(compared.stdout)["rows"] == 4
    with pytest.raises(UsageError, match="name these with --dataset"):
        scored(tmp_path, [{"id": 1, "prediction": 1, "label": 1}], "--out", str(out))
    with pytest.raises(DecodeError, match="no predictions in it"):
        scored(tmp_path, [])


def test_nothing_that_could_be_read_is_its_own_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": 1, "prediction": null, "label": 1}', encoding="utf-8")
    assert CliRunner().invoke(cli, ["score", "--predictions", str(path)], catch_exceptions=False).exit_code == 3
