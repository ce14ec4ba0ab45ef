"""A pack: everything that makes a served model a guard, as one object with one fingerprint.

Invariant: two packs with the same fingerprint ask the same words and read the answer the same way.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import msgspec

import taxonomy
from agentdog.base.errors import UsageError
from agentdog.base.ids import canonical_json, digest
from agentdog.guards.packs.parse import as_listed, lines_expression, lines_grammar
from agentdog.trajectory.render import RenderProfile

AxisId = taxonomy.AxisId  # inside the class, `taxonomy` is its own
_WORDS: dict[str, Literal["safe", "unsafe"]] = {"safe": "safe", "unsafe": "unsafe"}
TRAJECTORY, CATEGORIES, TOOLS = "{trajectory}", "{categories}", "{tools}"


class Labelling(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """How the labels of an unsafe prefix are asked for.

    Attributes:
        form: ``json``, a second turn answered under a JSON schema of the taxonomy's names (any instruction model);
            ``lines``, the same prompt continued: the model goes on from its verdict to one line per axis.
        prompt: the second turn, for ``json``.
        headings: axis → what the model prints before its answer, for ``lines``; in the order of the prompt.
        after: what ends the analysis that the model writes before its labels, in a pack of labels only that has it so.
        max_tokens: room for the answer.
    """

    form: Literal["json", "lines"]
    prompt: str | None = None
    headings: dict[taxonomy.AxisId, str] = {}
    after: str | None = None
    max_tokens: int


class Pack(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A prompt, how its answer is read, and for which models it was made.

    Attributes:
        name: as in ``?pack=``.
        family: ``verdict_first`` answers ``safe`` or ``unsafe`` with its first token; ``thinks_first`` writes an
            analysis before, so a verdict costs ``max_tokens``; ``labels_only`` names the labels of what is known to be
            unsafe and gives no verdict.
        models: expressions for served model names (searched for, without regard to case).
        refused: why these models cannot judge; such a pack is never used.
        prompt: one user message; ``{trajectory}`` stands where the text goes, ``{categories}`` for the label lists,
            ``{tools}`` for the agent's profile with its tools, where the prompt names them apart from the trajectory.
        verdict_after: for ``thinks_first``, the words after which the verdict stands.
        words: what the model writes → what it means; the first of each meaning is weighed against the other.
        prefill: the beginning of the answer, given to the model, so that its first token is the verdict.
        short_of: the pack whose answer this one begins up to the verdict.
        template: options of the model's own chat template.
        max_tokens: room for the verdict.
        context: tokens the model was made for.
        overlay: which taxonomy its labels come from.
        render: how the trajectory is laid out.
        wording: whose words the prompt is in.
        note: what people must know before trusting it.
    """

    name: str
    family: Literal["verdict_first", "thinks_first", "labels_only"] = "verdict_first"
    models: tuple[str, ...] = ()
    refused: str | None = None
    prompt: str = ""
    verdict_after: str | None = None
    words: dict[str, Literal["safe", "unsafe"]] = msgspec.field(default_factory=lambda: dict(_WORDS))
    prefill: str | None = None
    short_of: str | None = None
    template: dict[str, Any] = {}
    max_tokens: int = 1
    labels: Labelling | None = None
    context: int | None = None
    overlay: str = "base"
    render: RenderProfile = RenderProfile(name="agentdog")
    wording: str = "own"
    note: str | None = None

    def __post_init__(self) -> None:
        """Holds that the pack can be asked at all; raises `UsageError` naming the field."""
        if self.refused is not None:
            return
        if self.prompt.count(TRAJECTORY) != 1:
            raise UsageError(f"pack {self.name}: prompt must contain {TRAJECTORY} exactly once")
        if (self.family == "thinks_first") != (self.verdict_after is not None):
            raise UsageError(f"pack {self.name}: verdict_after belongs to family thinks_first, and is needed there")
        if self.family == "labels_only" and (self.labels is None or self.labels.form != "lines"):
            raise UsageError(f"pack {self.name}: family labels_only needs labels in form lines")
        if set(self.words.values()) != {"safe", "unsafe"}:
            raise UsageError(f"pack {self.name}: words must hold one for safe and one for unsafe")
        if self.prefill is not None and self.family != "verdict_first":
            raise UsageError(f"pack {self.name}: prefill belongs to family verdict_first")
        if self.labels and (self.labels.form == "json") != (self.labels.prompt is not None):
            raise UsageError(f"pack {self.name}: labels.prompt belongs to form json, and is needed there")
        if self.labels and self.labels.form == "lines" and set(self.labels.headings) != set(taxonomy.AXES):
            raise UsageError(f"pack {self.name}: labels.headings must name {', '.join(taxonomy.AXES)}")

    @cached_property
    def verdict_words(self) -> tuple[str, str]:
        """The word weighed for safe, and the one for unsafe."""
        safe, unsafe = (next(w for w, meaning in self.words.items() if meaning == m) for m in ("safe", "unsafe"))
        return safe, unsafe

    @property
    def taxonomy(self) -> taxonomy.Taxonomy:
        """The label lists in use."""
        return taxonomy.load(self.overlay)

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever the same trajectory might be asked or answered otherwise."""
        return digest(
            "pack", canonical_json(msgspec.to_builtins(self)), self.render.fingerprint, self.taxonomy.version, size=6
        )

    @cached_property
    def _frame(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The prompt before and behind the trajectory, each split where the tools stand."""
        head, _, tail = self.prompt.replace(CATEGORIES, categories(self.taxonomy)).partition(TRAJECTORY)
        return tuple(head.split(TOOLS)), tuple(tail.split(TOOLS))

    @cached_property
    def shown(self) -> str:
        """The prompt's own words: everything but the trajectory and the tools."""
        return "".join(part for parts in self._frame for part in parts)

    @cached_property
    def opening(self) -> str:
        """What stands before the lines of the labels: the verdict, in a pack that gives one."""
        return "" if self.family == "labels_only" else f"{self.verdict_words[1]}\n"

    @cached_property
    def _named(self) -> dict[AxisId, tuple[str, ...]]:
        """Each axis' labels as the prompt spells them."""
        return {axis.id: tuple(as_listed(label, self.shown) for label in axis.labels) for axis in self.taxonomy.axes}

    @cached_property
    def lines_expression(self) -> str:
        """The regular expression of labels in lines, behind the verdict where there is one."""
        return lines_expression(self.opening, self.labels.headings if self.labels else {}, self._named)

    @cached_property
    def lines_grammar(self) -> str:
        """The same language in llama.cpp's notation."""
        return lines_grammar(self.opening, self.labels.headings if self.labels else {}, self._named)

    @cached_property
    def names_tools(self) -> bool:
        """Tells whether the prompt has a place of its own for the tools."""
        return TOOLS in self.prompt

    def ask(self, rendered: str, tools: str = "") -> str:
        """Returns the user message for a rendered trajectory; what precedes the trajectory never changes.

        `tools` is the profile's text, as `agentdog.trajectory.render.render_profile` gives it.
        """
        head, tail = (tools.join(part) for part in self._frame)
        return f"{head}{rendered}{tail}"

    def ask_labels(self) -> str:
        """Returns the second turn that asks for labels; empty when the pack has none."""
        prompt = self.labels.prompt if self.labels and self.labels.prompt else ""
        return prompt.replace(CATEGORIES, categories(self.taxonomy))


def categories(table: taxonomy.Taxonomy) -> str:
    """Lists the labels per axis and group, one a line: the names, which are what a model is to answer with."""
    lines: list[str] = []
    for axis in table.axes:
        lines.append(f"## {axis.headings[0]}")
        for group in axis.groups or (None,):
            lines += [f"# {group.name}"] if group else []
            lines += [f"- {label.name}" for label in axis.labels if label.group == (group.id if group else None)]
    return "\n".join(lines)
