"""Packs: which model gets which, what is refused, and how their answers are read."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import taxonomy
from agentdog.base.errors import GuardUnavailable, UsageError
from agentdog.guards import Labels, Outcome, packs
from agentdog.guards.packs import Pack
from agentdog.guards.packs.parse import (
    first_line_verdict,
    labels_expression,
    labels_from_json,
    labels_from_lines,
    labels_schema,
    verdict_after,
)

BASE = taxonomy.load()
HEADINGS: dict[taxonomy.AxisId, str] = {
    "risk_source": "Risk Source",
    "failure_mode": "Failure Mode",
    "real_world_harm": "Risk Consequence",
}


@pytest.mark.parametrize(
    ("model", "pack"),
    [
        ("AI45Research/AgentDoG-Qwen3-4B", "agentdog-1.0-binary"),
        ("AgentDoG-Llama3.1-8B", "agentdog-1.0-binary"),
        ("AgentDoG-FG-Qwen2.5-7B", "agentdog-1.0-fg"),
        ("AgentDoG1.5-unified-Qwen3.5-4B", "agentdog-1.5-unified"),
        ("AgentDoG-1.5-Qwen3.5-4B", "agentdog-1.5-coarse"),
        ("AgentDoG1.5-LLamma-3.1-8B", "agentdog-1.5-coarse"),
        ("meta-llama/Llama-Guard-3-8B", "llama-guard"),
        ("meta-llama/LlamaGuard-7b", "llama-guard"),
        ("Qwen/Qwen3Guard-Gen-8B", "qwen3guard"),
        ("Qwen/Qwen3Guard-Stream-8B", "generic"),
        ("ibm-granite/granite-guardian-3.2-5b", "granite-guardian"),
        ("ibm-granite/granite-guardian-3.3-8b", "granite-guardian-3.3"),
        ("Qwen/Qwen3-4B", "generic"),
        ("", "generic"),
    ],
)
def test_the_served_name_chooses_the_pack(model: str, pack: str) -> None:
    assert packs.choose(model).name == pack


def test_a_model_that_cannot_judge_is_refused_with_the_reason() -> None:
    with pytest.raises(GuardUnavailable, match="gives no verdict"):
        packs.choose("AgentDoG1.5-FG-Qwen3.5-4b")
    with pytest.raises(GuardUnavailable, match="gives no verdict"):
        packs.find("agentdog-1.5-fg")


def test_a_short_form_asks_the_same_and_begins_the_answer() -> None:
    for name in ("agentdog-1.5-coarse", "agentdog-1.5-unified"):
        full, short = packs.find(name), packs.find(f"{name}-short")
        assert short.ask("RUN") == full.ask("RUN")
        assert (short.prefill or "").endswith(full.verdict_after or "-")
        assert short.short_of == name


def test_a_pack_may_extend_another(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nextends: agentdog-1.0-fg\nlabels: null\n")
    pack = packs.find(str(mine))
    assert (pack.labels, pack.ask("x"), pack.wording) == (None, packs.find("agentdog-1.0-fg").ask("x"), "mine.yaml")
    mine.write_text("name: mine\nextends: nope\n")
    with pytest.raises(UsageError, match="extends"):
        packs.find(str(mine))


def test_an_unknown_pack_lists_the_known_ones() -> None:
    with pytest.raises(GuardUnavailable, match=r"agentdog-1\.0-binary, .*generic"):
        packs.find("nope")


def test_a_pack_of_ones_own_is_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nprompt: 'Judge {trajectory}'\n")
    assert packs.find(str(mine)).ask("it") == "Judge it"
    mine.write_text("name: mine\nprompt: no place\n")
    with pytest.raises(UsageError, match="exactly once"):
        packs.find(str(mine))
    mine.write_text("name: mine\nprompt: '{trajectory}'\nprompts: x\n")
    with pytest.raises(GuardUnavailable, match="prompts"):
        packs.find(str(mine))
    with pytest.raises(GuardUnavailable, match=r"none\.yaml"):
        packs.find(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("pack", [p for p in packs.shipped().values() if p.refused is None], ids=lambda p: p.name)
def test_every_prompt_holds_the_trajectory_once_and_names_what_it_asks_for(pack: Pack) -> None:
    prompt = pack.ask("THE-RUN {categories}")
    assert prompt.count("THE-RUN {categories}") == 1
    assert "<BEGIN TRAJECTORY>\nTHE-RUN" in prompt or pack.prompt == "{trajectory}", "a peer's template frames it"
    listed = prompt + pack.ask_labels()
    assert "{trajectory}" not in listed
    for axis in BASE.axes if pack.labels else ():
        for label in axis.labels:
            assert label.name in listed


def test_fingerprints_tell_packs_apart() -> None:
    prints = {pack.fingerprint for pack in packs.shipped().values()}
    assert len(prints) == len(packs.shipped())


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("safe", Outcome.SAFE),
        (" Unsafe.\nRisk Source: x", Outcome.UNSAFE),
        ("It is unsafe", None),
        ("safely done", None),
        ("unsafe because", None),
        ("", None),
    ],
)
def test_a_first_line_verdict_is_the_whole_line(text: str, outcome: Outcome | None) -> None:
    assert first_line_verdict(text) == outcome


@pytest.mark.parametrize(
    ("text", "mark", "outcome"),
    [
        ("<think>is it Safety: unsafe?</think>\n\nSafety: safe", "Safety:", Outcome.SAFE),
        ("<think>x</think>\nSafety: unsafe\nFailure Mode: y", "Safety:", Outcome.UNSAFE),
        ("<think>Safety: safe", "Safety:", None),
        ("Safety: safe or unsafe", "Safety:", None),
        ("<Analysis>a</Analysis>\n<Judgment> unsafe </Judgment>", "<Judgment>", Outcome.UNSAFE),
        ("<Judgment> safe </Judgment>\nno wait\n<Judgment>unsafe</Judgment>", "<Judgment>", Outcome.UNSAFE),
        ("<Analysis>a</Analysis>", "<Judgment>", None),
    ],
)
def test_a_verdict_after_thinking(text: str, mark: str, outcome: Outcome | None) -> None:
    placed = verdict_after(text, mark)
    assert (placed.outcome if placed else None) == outcome
    if placed:
        assert text[placed.at :].casefold().startswith(("safe", "unsafe"))


def test_labels_are_read_by_heading_and_only_on_their_own_axis() -> None:
    text = (
        "<think>Risk Source: Direct Prompt Injection</think>\nSafety: unsafe\n"
        "Failure Mode: 1.3.1 Incorrect Tool Parameters\nRisk Consequence: Direct Prompt Injection\n"
        "Risk Source: Inherent Agent/LLM Failures"
    )
    assert labels_from_lines(text, HEADINGS, BASE) == Labels(
        risk_source="inherent_agent_failures", failure_mode="incorrect_tool_parameters"
    )


def test_labels_from_json() -> None:
    answer = {"risk_source": "Direct Prompt Injection", "failure_mode": "User Input", "real_world_harm": 3}
    assert labels_from_json(json.dumps(answer), BASE) == Labels(risk_source="direct_prompt_injection")
    for bad in ("", "[]", "unsafe", "[" * 100_000):
        assert labels_from_json(bad, BASE) == Labels()


def test_the_schema_allows_exactly_the_names_of_the_taxonomy() -> None:
    properties = labels_schema(BASE)["properties"]
    assert isinstance(properties, dict)
    assert {axis: len(p["enum"]) for axis, p in properties.items()} == {
        "risk_source": 8,
        "failure_mode": 14,
        "real_world_harm": 10,
    }


@pytest.mark.parametrize("overlay", taxonomy.OVERLAYS)
def test_the_expression_allows_what_the_schema_allows_without_blanks(overlay: str) -> None:
    table = taxonomy.load(overlay)
    expression = re.compile(labels_expression(table))
    answer: dict[str, str] = {axis.id: axis.labels[-1].name for axis in table.axes}
    assert expression.fullmatch(json.dumps(answer, separators=(",", ":")))
    assert not expression.fullmatch(json.dumps(answer))
    assert not expression.fullmatch(json.dumps({**answer, "risk_source": "User Input"}, separators=(",", ":")))
    longest = {axis.id: max((label.name for label in axis.labels), key=len) for axis in table.axes}
    labelling = packs.find("generic").labels
    # A token holds at least one byte, so as many tokens as bytes always suffice; real tokenizers need far fewer.
    assert labelling is not None
    assert labelling.max_tokens >= len(json.dumps(longest)) / 2


@pytest.mark.parametrize("name", ["agentdog-1.0-fg", "agentdog-1.5-unified-short", "agentdog-1.0-diagnosis"])
def test_labels_in_lines_are_held_to_the_names_that_the_prompt_lists(name: str) -> None:
    pack = packs.find(name, labels_only=True)
    assert pack.labels is not None
    expression = re.compile(pack.lines_expression)
    asked = [pack.prompt.index(f"{heading}: ...") for heading in pack.labels.headings.values()]
    assert asked == sorted(asked), "the lines come in the order that the prompt asks for"
    for label in BASE.axes[0].labels:
        chosen: dict[taxonomy.AxisId, str] = {axis.id: axis.labels[-1].name for axis in BASE.axes}
        chosen["risk_source"] = label.name
        answer = pack.opening + "\n".join(f"{h}: {chosen[axis]}" for axis, h in pack.labels.headings.items())
        assert expression.fullmatch(answer)
        assert labels_from_lines(answer, pack.labels.headings, BASE).risk_source == label.id
    assert not expression.fullmatch(answer.replace(label.name, "User Input"))
    other = msgspec.structs.replace(pack, prompt="Inherent Agent/LLM Failures {trajectory}")
    assert "Inherent Agent/LLM Failures" in other.lines_expression
    assert 'Risk Source: " (' in pack.lines_grammar
    assert '| "Indirect Prompt Injection" |' in pack.lines_grammar
    assert "\n" not in pack.lines_grammar


@given(st.integers())
def test_mutated_outputs_never_crash_and_never_leave_their_axis(seed: int) -> None:
    """Real shapes of answers, cut, repeated and shuffled: what is read is a verdict in its place or nothing."""
    rng = random.Random(seed)
    names = [label.name for axis in BASE.axes for label in axis.labels] + [g.name for a in BASE.axes for g in a.groups]
    pieces = [*HEADINGS.values(), "Safety", ":", ": ", "\n", "safe", "unsafe", "<think>", "</think>", "1.2 ", *names]
    text = "".join(rng.choices(pieces, k=rng.randrange(40)))
    labels = labels_from_lines(text, HEADINGS, BASE)
    for axis in taxonomy.AXES:
        assert getattr(labels, axis) in (None, *BASE.ids(axis))
    placed = verdict_after(text, "Safety:")
    if placed:
        assert text[: placed.at].rstrip(" \n*").casefold().endswith("safety:")
