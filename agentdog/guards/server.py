"""A guard behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, or a provider's API.

``server:http://host:8000/v1?model=NAME&pack=NAME`` names it; the key comes from ``AGENTDOG_GUARD_API_KEY``. Invariant:
`ServerSession.verdict` never raises for anything that the server does; each failure is its own ``not_evaluated``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from agentdog.base.ids import digest
from agentdog.guards import packs
from agentdog.guards.asking import Desk, Judged, join, judge
from agentdog.guards.axes import compared, distributions
from agentdog.guards.chat_api import ChatFailure
from agentdog.guards.deciding import Rule
from agentdog.guards.fitting import cut_marker, keep
from agentdog.guards.options import KEY_VARIABLE, SCHEME, ServerOptions, parse
from agentdog.guards.protocol import GuardInfo, Health
from agentdog.guards.replicas import Replica, Replicas
from agentdog.guards.served import Served
from agentdog.guards.served import tokens as count_text
from agentdog.guards.verdict import Outcome, Reason, Verdict
from agentdog.trajectory import Header, Step
from agentdog.trajectory.render import render_header, render_profile, render_step

__all__ = ["KEY_VARIABLE", "ServerGuard", "ServerOptions", "ServerSession"]

_MENDS = {
    Reason.GUARD_UNREACHABLE: "start the server, or correct the address in the guard's URI",
    Reason.GUARD_REFUSED: f"set {KEY_VARIABLE} to a key that the server accepts",
    Reason.TIMED_OUT: "the server is busy or stuck; look at its log, or raise timeout in the guard's URI",
}


class ServerGuard:
    """Judges by asking a served model."""

    def __init__(
        self,
        urls: Sequence[str],
        options: ServerOptions,
        *,
        key: str | None = None,
        packs_folder: Path | None = None,
        diagnoses: bool = False,
    ) -> None:
        self.options = options
        choice = packs.find if options.pack else packs.choose
        self.pack = choice(options.pack or options.model or "", packs_folder, labels_only=diagnoses)
        self.replicas = Replicas([Replica(url, options, self.pack, key) for url in urls], options)
        self._rule = Rule(options.threshold, options.margin)
        # The same words to the same model are answered alike wherever it runs; an unnamed one is known by its place.
        place = options.model or f"at {','.join(urls)}"
        query = f"?model={options.model}&pack={self.pack.name}" if options.model else f"?pack={self.pack.name}"
        self._info = GuardInfo(
            name=options.model or urlsplit(urls[0]).netloc,
            uri=f"{SCHEME}{','.join(urls)}{query}",
            fingerprint=digest("server", self.pack.fingerprint, place, repr(self._rule), size=8),
            pack=self.pack.name,
            wording=self.pack.wording,
            note=self.pack.note,
            served=True,
        )

    @classmethod
    def from_uri(
        cls,
        uri: str,
        *,
        key: str | None = None,
        environ: Mapping[str, str] = os.environ,
        packs_folder: Path | None = None,
        diagnoses: bool = False,
    ) -> ServerGuard:
        """Builds a guard from ``server:http://host:8000/v1?model=…&pack=…``; asks nothing yet.

        Args:
            uri: one address, or several between commas; options are those of `ServerOptions`.
            key: API key; without it, that of the environment.
            environ: where to look for the key.
            packs_folder: the user's packs and official wording.
            diagnoses: it stands behind a guard that gives the verdict, so its pack may be one of labels only.

        Raises:
            GuardUnavailable: naming what is wrong with the URI, the options or the pairing of model and pack.
        """
        urls, options = parse(uri)
        return cls(urls, options, key=key or environ.get(KEY_VARIABLE), packs_folder=packs_folder, diagnoses=diagnoses)

    @property
    def info(self) -> GuardInfo:
        """Who it is."""
        return self._info

    def open(self, header: Header) -> ServerSession:
        """Starts a session; the header's text is fixed from here on."""
        tools = render_profile(header, self.pack.render) if self.pack.names_tools else ""
        return ServerSession(self, render_header(header, self.pack.render), tools)

    async def health(self) -> Health:
        """Asks every server what it serves and can do, and whether that fits."""
        found = [await self._health(member) for member in self.replicas.members]
        worst = next((health for health in found if not health.ok), found[0])
        if len(found) == 1:
            return worst
        detail = "; ".join(f"{m.api.base_url}: {h.detail}" for m, h in zip(self.replicas.members, found, strict=True))
        return Health(ok=worst.ok, detail=detail, mend=worst.mend)

    async def _health(self, member: Replica) -> Health:
        try:
            served = await member.served(fresh=True)
        except ChatFailure as failure:
            return Health(ok=False, detail=f"{failure.reason}: {failure.detail}", mend=_MENDS.get(failure.reason))
        detail = f"{served.model} with pack {self.pack.name} ({self.pack.wording} wording) on {served.kind}"
        if not self.options.pack and not self.options.model:
            fitting = packs.choose(served.model)
            if fitting.name != self.pack.name:
                mend = f"add ?model={served.model} to the guard's URI"
                return Health(ok=False, detail=f"{served.model} has its own pack, {fitting.name}", mend=mend)
        return Health(ok=True, detail=detail + (f", context {served.context} tokens" if served.context else ""))

    async def close(self) -> None:
        """Closes the connections."""
        await self.replicas.close()

    async def judge(self, pieces: Sequence[str], tools: str = "") -> Verdict:
        """Judges a rendered prefix, header first and then one piece per step; a failure is a ``not_evaluated``."""
        began = time.perf_counter()
        # Header and first step are the same for every prefix of a trajectory: it stays with the server that knows it.
        key = digest(*pieces[:2])
        try:
            judged = await self.replicas.run(key, lambda member: self._judge_at(member, pieces, tools))
        except ChatFailure as failure:
            took = (time.perf_counter() - began) * 1000
            return self.not_evaluated(failure.reason, failure.detail, took, failure.raw)
        return self._verdict(judged, (time.perf_counter() - began) * 1000)

    async def _judge_at(self, member: Replica, pieces: Sequence[str], tools: str) -> Judged:
        served = await member.served()
        text, note = await self._fit(member, served, pieces, tools)
        extra = self.options.extra() if served.kind == "vllm" else {}
        desk = Desk(member.api, served, self.pack, self._rule, extra)
        judged = await judge(desk, text, tools)
        judged = judged._replace(note=join(note, judged.note))
        if not self.options.axes or judged.outcome is not Outcome.UNSAFE or self.pack.family != "verdict_first":
            return judged
        if served.scores != "logprob_token_ids":
            return judged._replace(note=join(judged.note, "axes: this server gives no exact log-probabilities"))
        try:
            axes = await distributions(desk, self.pack.ask(text, tools))
        except ChatFailure as failure:
            return judged._replace(note=join(judged.note, f"axes: {failure.reason} ({failure.detail})"))
        return judged._replace(axes=axes or None, note=join(judged.note, compared(judged.labels, axes)))

    async def _fit(self, member: Replica, served: Served, pieces: Sequence[str], tools: str) -> tuple[str, str | None]:
        """Cuts the middle where the context is exceeded; raises `ChatFailure` where that is not enough."""
        text = "".join(pieces)
        limits = [n for n in (served.context, self.pack.context) if n is not None]
        # A token holds at least one byte, so what is short in bytes needs no counting.
        if served.frame is None or not limits or len((text + tools).encode()) + served.frame <= min(limits):
            return text, None
        counted = await asyncio.gather(
            *(count_text(member.api, served.kind, served.model, part) for part in (tools, *pieces))
        )
        spoken, *counts = [len(part) for part in counted if part is not None] or [0]
        room = min(limits) - served.frame - spoken
        marker = await count_text(
            member.api, served.kind, served.model, cut_marker(len(pieces), len(pieces), sum(counts))
        )
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


class ServerSession:
    """One trajectory in front of a served model; its text only grows, so that the server's prefix cache holds."""

    def __init__(self, guard: ServerGuard, header: str, tools: str) -> None:
        self._guard = guard
        self._tools = tools
        self._pieces = [header]
        self._has_content = False

    def fork(self) -> ServerSession:
        """Copies the session; the text so far is shared."""
        copy = ServerSession(self._guard, "", self._tools)
        copy._pieces, copy._has_content = list(self._pieces), self._has_content
        return copy

    def extend(self, step: Step) -> None:
        """Appends one step's text."""
        self._pieces.append(self._guard.step_text(step))
        self._has_content |= bool(step.text or step.tool_calls or step.reasoning or step.error)

    async def verdict(self) -> Verdict:
        """Judges the prefix that ends in the last step."""
        if not self._has_content:
            return self._guard.not_evaluated(Reason.NO_CONTENT, "the telemetry carries no content up to this step")
        return await self._guard.judge(self._pieces, self._tools)
