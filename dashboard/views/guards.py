"""Who judges and how that goes: health, time, cache, what was not evaluated, budgets, packs, and alerts to tune."""

from __future__ import annotations

from collections import Counter
from typing import Any

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Budgets, Figures, GuardInfo, GuardStatus
from dashboard import source, timing
from dashboard.components import table
from dashboard.views import alerts, parts, tiles
from dashboard.views.tiles import Tile


def _overview() -> None:
    api = source.client()
    _status(api.guard())
    figures = api.figures()
    if not any(sum(each["verdicts"].values()) for each in figures["items"]):
        st.info("Nothing was judged yet: figures appear with the first verdict.", icon=":material/hourglass_empty:")
        return
    _tiles(figures)
    left, right = st.columns(2)
    with left:
        _silent(figures)
    with right:
        _times(figures)


def _status(found: GuardStatus) -> None:
    info, health = found["info"], found["health"]
    with st.container(border=True, key="guard"):
        st.subheader("The guard is ready" if health["ok"] else "The guard does not answer")
        st.text(wording.visible(f"{info['name']}: {health['detail']}"))
        if not health["ok"]:
            st.error("Steps are stored meanwhile, and judged when it answers again.", icon=":material/heart_broken:")
            st.text(wording.visible(health.get("mend", "")))
        if info.get("note"):
            st.text(wording.visible(info["note"]))
        table(["", ""], _facts(info), key="guard facts")


def _facts(info: GuardInfo) -> list[list[Any]]:
    facts = (
        ("Chosen by", info["uri"]),
        ("Fingerprint", info["fingerprint"]),
        ("Pack", info.get("pack", "")),
        ("Wording", info.get("wording", "")),
        ("Layout", info.get("layout", "")),
    )
    return [[name, {"text": wording.visible(value), "kind": "mono"}] for name, value in facts if value]


def _tiles(figures: Figures) -> None:
    verdicts: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for each in figures["items"]:
        verdicts.update(each["verdicts"])
        tokens.update(each["tokens"])
    total = verdicts.total()
    asked = next((each for each in figures["timings"] if each["kind"] == "guard"), None)
    read = tokens["prompt"]
    held = wording.percent(tokens["cached"] / read) if read else "-"
    tiles.draw(
        [
            Tile("Verdicts", f"{total:,}"),
            Tile("Not evaluated", wording.percent(verdicts["not_evaluated"] / total)),
            Tile("Median answer", timing.quantile(asked, 0.5) if asked else "-"),
            Tile("Prompt tokens from a cache", held, help="A guard without a server has no tokens to count."),
        ]
    )


def _silent(figures: Figures) -> None:
    st.subheader("Why there is no verdict")
    reasons: Counter[str] = Counter()
    for each in figures["items"]:
        reasons.update(each["not_evaluated"])
    if not reasons:
        st.caption("Every step that was to be judged got a verdict.")
        return
    lines = [
        [
            {"text": reason.replace("_", " ").capitalize(), "kind": "not_evaluated"},
            {"text": f"{count:,}", "number": True},
            wording.REASON_WORDS.get(reason, ""),
        ]
        for reason, count in reasons.most_common()
    ]
    table(["Reason", "Steps", "What it means, and what mends it"], lines, key="reasons")


def _times(figures: Figures) -> None:
    st.subheader("How long it takes")
    if not figures["timings"]:
        st.caption("Times are of all projects together; your token is for some of them.")
        return
    kinds = {timing.KINDS[each["kind"]]: each for each in figures["timings"]}
    asked = st.selectbox("Time", list(kinds), key="timing", label_visibility="collapsed")
    chosen = kinds[asked or next(iter(kinds))]
    table(["Within", "Steps"], timing.lines(chosen), key=f"times {chosen['kind']}")
    slow = timing.quantile(chosen, 0.95)
    mean = wording.duration(chosen["seconds"] / sum(chosen["counts"]))
    st.caption(f"95 % {slow}; mean {mean}; {wording.plural(sum(chosen['counts']), 'step')}.")


def _budgets() -> None:
    found = source.client().budgets()
    st.text(_bounds(found))
    lines = [
        [
            wording.visible(each["project"]),
            _minute(each["tokens_last_minute"], each.get("tokens_per_minute")),
            wording.percent(each["sample"]),
            f"{each['verdicts']:,}",
            wording.percent(each.get("labelled_share")) or "-",
            f"{each['over_budget']:,}",
            f"{each['not_sampled']:,}",
            f"{each['cost']:.2f}",
        ]
        for each in found["items"]
    ]
    if not lines:
        st.info("No project yet, so nothing was spent.", icon=":material/savings:")
        return
    heads = ["Project", "Tokens, last minute", "Sample", "Verdicts", "Labelled", "Over budget", "Not sampled", "Cost"]
    table(heads, lines, key="budgets")
    st.caption("Budgets are settings: AGENTDOG_JUDGE__TOKENS_PER_MINUTE, …__SAMPLE, …__DIAGNOSE; see docs/settings.md.")


def _bounds(found: Budgets) -> str:
    limit = found.get("tokens_per_minute")
    bound = f"at most {limit:,} tokens a minute together" if limit else "no bound on tokens"
    share = wording.percent(found["diagnose_share"])
    return f"Guards have {bound}; labels are asked for {found['diagnose'].replace('_', ' ')}, {share} of them."


def _minute(spent: int, limit: int | None) -> Any:  # noqa: ANN401 - a cell
    if not limit:
        return f"{spent:,}"
    return {"text": f"{spent:,} of {limit:,}", "bar": spent / limit, "kind": "unsafe" if spent >= limit else ""}


def _packs() -> None:
    api = source.client()
    used = api.guard()["info"].get("pack")
    st.text(
        "A pack is the prompt, the parser and the layout for one family of guard models. The embedded guard needs none."
    )
    lines = [
        [
            {"text": "in use", "kind": "safe"} if each["name"] == used else "",
            {"text": wording.visible(each["name"]), "kind": "mono"},
            wording.visible(each["wording"]),
            each["family"].replace("_", " "),
            wording.visible(" ".join(part for part in (each.get("refused"), each.get("note")) if part)),
        ]
        for each in api.packs()
    ]
    table(["", "Pack", "Wording", "Family", "To know"], lines, key="packs")
    st.caption("The official wording is added by you, not shipped: `agentdog packs add` takes it in.")


PARTS = {"Overview": _overview, "Alerts and tuning": alerts.render, "Budgets": _budgets, "Packs": _packs}


def render() -> None:
    """Draws the part that is open."""
    parts.draw(PARTS)
