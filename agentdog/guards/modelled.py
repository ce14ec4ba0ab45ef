"""What every guard that asks a model has in common: rendering, the token budget, the verdict.

Invariant: `ModelSession.verdict` never raises for anything that a model or its server does; each failure is its own
``not_evaluated``.
"""

from __future__ import annotations

import asyncio
import copy
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec

from agentdog.base.errors import GuardUnavailable
from agentdog.base.ids import digest
from agentdog.guards.api import Api
from agentdog.guards.asking import Judged, analyse, decide, label
from agentdog.guards.axes import compared, distributions
from agentdog.guards.chat_api import Answer, ChatFailure, Usage
from agentdog.guards.deciding import Rule
from agentdog.guards.desk import Desk, join
from agentdog.guards.fitting import cut_marker, keep
from agentdog.guards.packs import Pack
from agentdog.guards.protocol import GuardInfo, Written
from agentdog.guards.served import Served
from agentdog.guards.served import tokens as count_text
from agentdog.guards.verdict import Outcome, Reason, Verdict
from agentdog.trajectory import Header, Step
from agentdog.trajectory.render import render_arrival, render_header, render_profile, render_step

Answered = TypeVar("Answered")
_Options = TypeVar("_Options", bound="JudgeOptions")
Work = Callable[[Api, Served], Awaitable[Answered]]


class JudgeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand behind the ``?`` of the URI of any guard that asks a model.

    Attributes:
        model: its name, as the server names it; without it the server's first, or the name of the folder.
        pack: a pack's name or the path of a YAML file; without it, chosen by the model's name.
        profile: whether the agents' system prompts are shown, ``shown`` or ``none``; without it as the pack says.
        tools: whether tools are shown with them, ``profile`` or ``none``; without it as the pack says.
        timeout: seconds that one request may take, waiting for its turn included; no try begins after it.
        warm_up: seconds that starting, or finding out what a server can do, may take.
        threshold: P(unsafe) from which a prefix is unsafe.
        margin: log-odds below the threshold within which a prefix is taken as unsafe too.
        concurrency: prefixes judged at once.
        axes: ask for the probability of every label too; about twenty one-token requests for what is unsafe. Where
            exact log-probabilities can be had.
    """

    model: str | None = None
    pack: str | None = None
    profile: Literal["shown", "none"] | None = None
    tools: Literal["profile", "none"] | None = None
    timeout: float = 60.0
    warm_up: float = 300.0
    threshold: float = 0.5
    margin: float = 0.1
    axes: bool = False
    concurrency: int = 1

    def __post_init__(self) -> None:
        """Holds the ranges; raises `GuardUnavailable` naming the option."""
        self.positive("timeout", "warm_up")
        if not 0 < self.threshold < 1:
            raise GuardUnavailable(f"guard option threshold is {self.threshold}; give a probability between 0 and 1")
        if not 0 <= self.margin < math.inf:
            raise GuardUnavailable(f"guard option margin is {self.margin}; give log-odds of 0 or more")

    def positive(self, *names: str) -> None:
        """Holds that options are seconds above 0."""
        for name in names:
            if not getattr(self, name) > 0:
                raise GuardUnavailable(f"guard option {name} is {getattr(self, name)}; give seconds above 0")

    def least(self, **bounds: int) -> None:
        """Holds that options, where given, are at least so much."""
        for name, bound in bounds.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise GuardUnavailable(f"guard option {name} is {value}; give at least {bound}")


def read_options(query: str, kind: type[_Options]) -> _Options:
    """Reads what stands behind a URI's ``?``; raises `GuardUnavailable` naming what is wrong and what is known."""
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        twice = sorted({name for name, _ in given if sum(name == other for other, _ in given) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is given twice")
        return msgspec.convert(dict(given), kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        known = ", ".join(kind.__struct_fields__)
        raise GuardUnavailable(f"guard options {query!r}: {error}; known are {known}") from error


def of_options(options: JudgeOptions) -> str:
    """What of the options a guard's URI repeats beside model and pack."""
    given = {"profile": options.profile, "tools": options.tools}
    return "".join(f"&{name}={value}" for name, value in given.items() if value)


def asked_beside(options: JudgeOptions) -> tuple[str, ...]:
    """What of the options changes an answer beside pack and rule, for a guard's fingerprint."""
    return ("axes",) if options.axes else ()


class ModelGuard:
    """Judges by asking a model; who that is, and how it is reached, is its subclasses' affair."""

    def __init__(self, pack: Pack, options: JudgeOptions, info: GuardInfo, agreement: str | None = None) -> None:
        self.pack = pack
        self.agreement = agreement
        self._asked_for = options
        self._rule = Rule(options.threshold, options.margin)
        self._info = info

    @property
    def info(self) -> GuardInfo:
        """Who it is."""
        return self._info

    @property
    def at_once(self) -> int:
        """How many prefixes it bears to be asked at once."""
        return self._asked_for.concurrency

    def open(self, header: Header) -> ModelSession:
        """Starts a session; the text of what was there from the start is fixed from here on."""
        tools = render_profile(header.opening(), self.pack.render) if self.pack.names_tools else ""
        arrivals = {at: render_arrival(who, self.pack.render) for at, who in header.arrivals().items()}
        return ModelSession(self, render_header(header, self.pack.render), tools, arrivals)

    async def _run(self, key: str, work: Work[Answered]) -> Answered:
        """Does the work where the trajectory of this key is at home; raises `ChatFailure`."""
        raise NotImplementedError

    def _extra(self, served: Served) -> Mapping[str, Any]:
        """Fields that go with every request."""
        return {}

    async def judge(self, pieces: Sequence[str], tools: str = "", *, labels: bool = True) -> Verdict:
        """Judges a rendered prefix, header first and then one piece per step; a failure is a ``not_evaluated``."""
        began = time.perf_counter()

        async def work(api: Api, served: Served) -> Judged:
            desk, text, note = await self._desk(api, served, pieces, tools)
            judged = await decide(desk, text, tools)
            judged = judged._replace(note=join(note, judged.note))
            wanted = labels and judged.outcome is Outcome.UNSAFE
            return await self._labelled(desk, text, tools, judged) if wanted else judged

        try:
            judged = await self._run(_home(pieces), work)
        except ChatFailure as failure:
            return self.not_evaluated(failure.reason, failure.detail, _since(began), failure.raw)
        return self._verdict(judged, _since(began))

    async def label(self, verdict: Verdict, pieces: Sequence[str], tools: str = "") -> Verdict:
        """Adds labels to a verdict of the same prefix, where they are a question of their own."""
        if verdict.labels is not None or verdict.outcome is Outcome.NOT_EVALUATED:
            return verdict
        began = time.perf_counter()
        cost = Usage(verdict.prompt_tokens, verdict.cached_tokens, verdict.completion_tokens)
        before = Judged(verdict.outcome, verdict.p_unsafe, None, verdict.detail, cost, raw=verdict.raw)

        async def work(api: Api, served: Served) -> Judged:
            desk, text, _ = await self._desk(api, served, pieces, tools)
            return await self._labelled(desk, text, tools, before)

        try:
            judged = await self._run(_home(pieces), work)
        except ChatFailure as failure:
            judged = before._replace(note=join(before.note, f"labels: {failure.reason} ({failure.detail})"))
        return self._verdict(judged, verdict.latency_ms + _since(began))

    async def analysis(self, outcome: Outcome, pieces: Sequence[str], tools: str = "") -> Written:
        """Has the model write why; raises `GuardUnavailable` when it does not answer."""

        async def work(api: Api, served: Served) -> Answer:
            desk, text, _ = await self._desk(api, served, pieces, tools)
            return await analyse(desk, text, tools, outcome)

        try:
            answer = await self._run(_home(pieces), work)
        except ChatFailure as failure:
            raise GuardUnavailable(f"the guard wrote no analysis: {failure.reason} ({failure.detail})") from failure
        used = answer.usage
        return Written(answer.text.strip(), used.prompt, used.cached, used.completion)

    async def _desk(self, api: Api, served: Served, pieces: Sequence[str], tools: str) -> tuple[Desk, str, str | None]:
        text, note = await self._fit(api, served, pieces, tools)
        return Desk(api, served, self.pack, self._rule, self._extra(served)), text, note

    async def _labelled(self, desk: Desk, text: str, tools: str, judged: Judged) -> Judged:
        """Asks for labels where they are a question of their own, and for every label's probability where wanted."""
        judged = await label(desk, text, tools, judged)
        if not self._asked_for.axes or self.pack.labels is None:
            return judged
        if desk.served.scores != "logprob_token_ids":
            return judged._replace(note=join(judged.note, "axes: this server gives no exact log-probabilities"))
        try:
            axes = await distributions(desk, self.pack.ask(text, tools), judged.begun)
        except ChatFailure as failure:
            return judged._replace(note=join(judged.note, f"axes: {failure.reason} ({failure.detail})"))
        return judged._replace(axes=axes or None, note=join(judged.note, compared(judged.labels, axes)))

    async def _fit(self, api: Api, served: Served, pieces: Sequence[str], tools: str) -> tuple[str, str | None]:
        """Cuts the middle where the context is exceeded; raises `ChatFailure` where that is not enough."""
        text = "".join(pieces)
        limits = [n for n in (served.context, self.pack.context) if n is not None]
        # A token holds at least one byte, so what is short in bytes needs no counting.
        if served.frame is None or not limits or len((text + tools).encode()) + served.frame <= min(limits):
            return text, None
        counted = await asyncio.gather(*(count_text(api, served.kind, served.model, part) for part in (tools, *pieces)))
        spoken, *counts = [len(part) for part in counted if part is not None] or [0]
        room = min(limits) - served.frame - spoken
        marker = await count_text(api, served.kind, served.model, cut_marker(len(pieces), len(pieces), sum(counts)))
        if len(counts) < len(pieces) or marker is None:
            raise ChatFailure(Reason.GUARD_ERROR, "the server stopped counting tokens")
        kept = keep(counts, room, len(marker))
        if kept is None:
            why = f"header and newest step take {counts[0] + counts[-1]} tokens of {room} that are left for them"
            raise ChatFailure(Reason.TOO_LONG, why)
        if not kept.cut:
            return text, None
        cut = cut_marker(kept.head, kept.tail - 1, kept.left_out)
        note = (
            f"steps {kept.head} to {kept.tail - 1} ({kept.left_out} tokens) were left out: too long for {room} tokens"
        )
        return "".join((*pieces[: kept.head], cut, *pieces[kept.tail :])), note

    def step_text(self, step: Step) -> str:
        """Renders one step in the pack's layout."""
        return render_step(step, self.pack.render)

    def not_evaluated(self, reason: Reason, detail: str, latency_ms: float = 0.0, raw: str | None = None) -> Verdict:
        """Returns the verdict that says why there is none."""
        return Verdict(
            outcome=Outcome.NOT_EVALUATED,
            guard=self._info.fingerprint,
            reason=reason,
            detail=detail,
            latency_ms=latency_ms,
            raw=raw,
        )

    def _verdict(self, judged: Judged, latency_ms: float) -> Verdict:
        return Verdict(
            outcome=judged.outcome,
            guard=self._info.fingerprint,
            p_unsafe=judged.p_unsafe,
            labels=judged.labels,
            axes=judged.axes,
            detail=judged.note,
            latency_ms=latency_ms,
            prompt_tokens=judged.usage.prompt,
            cached_tokens=judged.usage.cached,
            completion_tokens=judged.usage.completion,
            raw=judged.raw,
        )


class ModelSession:
    """One trajectory in front of a model; its text only grows, so that what was read of it is read once."""

    def __init__(self, guard: ModelGuard, header: str, tools: str, arrivals: Mapping[int, str]) -> None:
        self._guard = guard
        self._arrivals = arrivals
        self._tools = tools
        self._pieces = [header]
        self._has_content = False

    def extend(self, step: Step) -> None:
        """Appends one step's text, behind that of whoever and whatever joined with it."""
        self._pieces.append(self._arrivals.get(len(self._pieces) - 1, "") + self._guard.step_text(step))
        self._has_content |= bool(step.text or step.tool_calls or step.reasoning or step.error)

    def fork(self) -> ModelSession:
        """Returns a session over the same prefix."""
        other = copy.copy(self)
        other._pieces = list(self._pieces)
        return other

    async def verdict(self) -> Verdict:
        """Judges the prefix that ends in the last step."""
        return await self._judged(labels=True)

    async def verdict_only(self) -> Verdict:
        """Judges it without asking for labels."""
        return await self._judged(labels=False)

    async def label(self, verdict: Verdict) -> Verdict:
        """Adds labels to a verdict of the same prefix."""
        return await self._guard.label(verdict, self._pieces, self._tools)

    async def analysis(self, verdict: Verdict) -> Written:
        """Has the model write why the prefix was judged so; raises `GuardUnavailable` when it does not answer."""
        return await self._guard.analysis(verdict.outcome, self._pieces, self._tools)

    async def _judged(self, *, labels: bool) -> Verdict:
        if not self._has_content:
            return self._guard.not_evaluated(Reason.NO_CONTENT, "the telemetry carries no content up to this step")
        return await self._guard.judge(self._pieces, self._tools, labels=labels)


def _home(pieces: Sequence[str]) -> str:
    """Header and first step are the same for every prefix of a trajectory: it stays where it is known."""
    return digest(*pieces[:2])


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
