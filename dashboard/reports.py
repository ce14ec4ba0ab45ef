"""Reports of ``atbench`` (schema ``atbench.report/1``) as the values that the components draw. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import Taxonomy
from agentdog.client.wording import visible

Report = Mapping[str, Any]

_SCORES = (("accuracy", "Accuracy"), ("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"))
_RANKING = (("auroc", "AUROC"), ("auprc", "AUPRC"), ("ece", "Calibration error"), ("brier", "Brier score"))
_VERDICT = {1: "unsafe", 0: "safe", None: "not_evaluated"}


def interval(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """A figure with its bounds, and the same in words."""
    if value is None or value.get("value") is None:
        return {"value": None, "low": None, "high": None, "text": "-"}
    low, high = value.get("low"), value.get("high")
    bounds = f" ({low:.3f} … {high:.3f})" if low is not None and high is not None else ""
    return {"value": value["value"], "low": low, "high": high, "text": f"{value['value']:.3f}{bounds}"}


def side_by_side(reports: Mapping[str, Report]) -> dict[str, Any]:
    """Scores of several runs, line by line."""
    rows = [
        {"name": words, "values": [interval(report["metrics"].get(name)) for report in reports.values()]}
        for name, words in _SCORES
    ]
    for name, words in _RANKING:
        values = [interval((report.get("ranking") or {}).get("metrics", {}).get(name)) for report in reports.values()]
        if any(each["value"] is not None for each in values):
            rows.append({"name": words, "values": values})
    return {"runs": [visible(name) for name in reports], "rows": rows}


def plots(report: Report) -> dict[str, Any]:
    """Confusion, and the bins of the reliability diagram."""
    bins = (report.get("ranking") or {}).get("reliability", [])
    return {
        "confusion": dict(report["confusion"]),
        "bins": [
            {
                "low": each["low"],
                "high": each["high"],
                "count": each["count"],
                "mean": each["mean_score"],
                "positive": each["positive"],
                "text": f"P(unsafe) {each['low']:.1f} to {each['high']:.1f}: {wording.plural(each['count'], 'row')}, "
                f"mean {each['mean_score']:.3f}, unsafe {wording.percent(each['positive'])}",
            }
            for each in bins
        ],
    }


def axes(report: Report, taxonomy: Taxonomy) -> list[list[str]]:
    """One line per axis that the set has labels of."""
    names = {axis["id"]: f"{axis['question']}: {axis['name'].lower()}" for axis in taxonomy["axes"]}
    return [
        [
            names.get(axis, axis),
            f"{found['rows']:,}",
            interval(found["named"])["text"],
            interval(found["end_to_end"])["text"],
            interval(found["top3"])["text"],
            wording.percent(found["majority"]) or "-",
        ]
        for axis, found in report["axes"].items()
    ]


def labels(report: Report, axis: str, taxonomy: Taxonomy) -> list[list[Any]]:
    """An axis label by label."""
    return [
        [
            visible(wording.label_name(taxonomy, axis, each["label"])),
            f"{each['gold']:,}",
            f"{each['given']:,}",
            {"text": f"{each['right']:,} of {each['gold']:,}", "bar": each["recall"] or 0.0},
            wording.percent(each["precision"]) or "-",
        ]
        for each in report["labels"].get(axis, {}).get("labels", [])
    ]


def wrong(row: Mapping[str, Any]) -> bool:
    """Whether a row's answer is not its label; an answer that is missing is wrong."""
    return row.get("label") is not None and row.get("prediction") != row["label"]


def chosen(rows: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    """The rows of a kind, the guard's surest errors first."""
    kinds = {
        "Errors": [row for row in rows if wrong(row)],
        "Missed": [row for row in rows if wrong(row) and row["label"] == 1],
        "False alarms": [row for row in rows if wrong(row) and row["label"] == 0],
        "Not evaluated": [row for row in rows if row.get("prediction") is None],
    }
    picked = kinds.get(kind, list(rows))
    return sorted(picked, key=lambda row: -abs((row.get("p_unsafe") or 0.5) - (row.get("label") or 0)))


def line(row: Mapping[str, Any]) -> list[Any]:
    """One row in the table."""
    label, answer = row.get("label"), _VERDICT[row.get("prediction")]
    step = row.get("unsafe_step")
    flagged = row.get("flagged") or []
    return [
        {"text": visible(str(row["id"])), "kind": "link"},
        "unlabelled" if label is None else {"text": wording.VERDICT_WORDS[_VERDICT[label]], "kind": _VERDICT[label]},
        {"text": wording.VERDICT_WORDS[answer], "kind": answer},
        f"{row['p_unsafe']:.3f}" if row.get("p_unsafe") is not None else "-",
        "" if step is None else f"step {step + 1}",
        f"step {flagged[0] + 1}" if flagged else "",
        wording.REASON_WORDS.get(row.get("reason") or "", ""),
    ]


def verdicts(kept: Mapping[str, Any], taxonomy: Taxonomy) -> list[list[Any]]:
    """What the guard said of one row, step by step, with what that rests on."""
    out = []
    for each in kept["verdicts"]:
        verdict = each["verdict"]
        told = [
            item["message"] + (f" “{item['quote'][:200]}”" if item.get("quote") else "")
            for item in verdict.get("evidence", [])
        ]
        given = verdict.get("labels") or {}
        named = [wording.label_name(taxonomy, axis["id"], given.get(axis["id"])) for axis in taxonomy["axes"]]
        p = verdict.get("p_unsafe")
        out.append(
            [
                f"{each['index'] + 1}",
                {"text": wording.VERDICT_WORDS[verdict["outcome"]], "kind": verdict["outcome"]},
                "-" if p is None else f"{p:.3f}",
                visible(", ".join(name for name in named if name)),
                visible("\n".join(told) or verdict.get("detail", "") or verdict.get("raw", "")[:500]),
            ]
        )
    return out
