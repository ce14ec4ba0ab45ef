"""``agentdog guards check``: whether a guard can do what is wanted of it, found out by asking, with the mend for each.

Invariant: never raises for anything a server does, and changes nothing there.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import msgspec

from agentdog.base.checks import CheckResult, Status
from agentdog.guards import packs
from agentdog.guards.agreement import UNMEASURED
from agentdog.guards.api import Api
from agentdog.guards.cascade import Cascade
from agentdog.guards.chat_api import Answer, ChatFailure
from agentdog.guards.engines.guard import EngineGuard
from agentdog.guards.mends import mend_of
from agentdog.guards.modelled import ModelGuard
from agentdog.guards.protocol import Guard
from agentdog.guards.served import Served
from agentdog.guards.server import ServerGuard
from agentdog.guards.verdict import Reason

_WORDS = 400  # of the requests that measure speed and the prefix cache
_NOBODY = (Reason.GUARD_UNREACHABLE, Reason.TIMED_OUT)
_WRITTEN = 17  # tokens asked for of the one that measures writing


async def examine(guard: Guard, *, speed: bool = True) -> list[CheckResult]:
    """Examines a guard; servers are asked in turn, a model that runs here is loaded. `speed`: measured too."""
    found: list[CheckResult] = []
    if isinstance(guard, ServerGuard):
        for member in guard.replicas.members:
            asked = partial(member.served, fresh=True)
            found += [result async for result in _model_of(guard, member.api, asked, speed=speed)]
        return found
    if isinstance(guard, EngineGuard):
        return [result async for result in _model_of(guard, guard.api, guard.served, speed=speed)]
    if isinstance(guard, Cascade):
        for at, stage in enumerate(guard.stages, start=1):
            named = [
                msgspec.structs.replace(result, name=f"stage {at}: {result.name}")
                for result in await examine(stage.guard, speed=speed)
            ]
            found += named
        return found
    health = await guard.health()
    status: Status = "ok" if health.ok else "fail"
    return [CheckResult(name=guard.info.name, status=status, detail=health.detail, mend=health.mend)]


async def _model_of(
    guard: ModelGuard, api: Api, asked: Callable[[], Awaitable[Served]], *, speed: bool
) -> AsyncIterator[CheckResult]:
    try:
        began = time.perf_counter()
        served = await asked()
    except ChatFailure as failure:
        mend = mend_of(failure)
        if isinstance(guard, EngineGuard):
            mend = "see what it says of itself; a smaller context or another dtype in the URI takes less memory"
        elif failure.reason not in _NOBODY:
            yield CheckResult(name="reachable", status="ok", detail=f"{api.base_url} answers")
        name = "reachable" if failure.reason in _NOBODY or isinstance(guard, EngineGuard) else "answers"
        yield CheckResult(name=name, status="fail", detail=f"{failure.reason}: {failure.detail}", mend=mend)
        return
    took = time.perf_counter() - began
    yield CheckResult(name="reachable", status="ok", detail=f"{api.base_url} ({served.kind}), {took:.1f} s")
    yield _model(guard, served)
    yield CheckResult(name="pack", status="ok", detail=f"{guard.pack.name}, {guard.pack.wording} wording")
    yield _layout(guard)
    if guard.agreement is not None:
        yield _agreement(guard)
    yield _context(guard, served)
    yield _scores(served)
    if guard.pack.labels is not None:
        yield _structure(served)
    if speed:
        async for result in _speed(guard, api, served):
            yield result


def _model(guard: ModelGuard, served: Served) -> CheckResult:
    fitting, named = packs.fitting_pack(served.model, served.root), served.model
    if served.root not in ("", served.model):
        named = f"{served.model} ({served.root})"
    if fitting is not None and guard.pack.name not in (fitting, f"{fitting}-short"):
        mend = f"add ?pack={fitting} to the guard's URI, unless this is what you want to measure"
        detail = f"{named} was made for pack {fitting}, {guard.pack.name} is in use"
        return CheckResult(name="model", status="warn", detail=detail, mend=mend)
    return CheckResult(name="model", status="ok", detail=named)


def _layout(guard: ModelGuard) -> CheckResult:
    """Says what of a trajectory the model is shown."""
    render = guard.pack.render
    if render.tools == "none":
        mend = "leave out tools=none, unless what you compare with hid them too"
        detail = f"{render.described}: an attack in a tool's description cannot be seen"
        return CheckResult(name="layout", status="warn", detail=detail, mend=mend)
    return CheckResult(name="layout", status="ok", detail=render.described)


def _agreement(guard: ModelGuard) -> CheckResult:
    """Says how often the short form in use answers as the full form does."""
    detail = f"agreement with {guard.pack.short_of}: {guard.agreement}"
    if guard.agreement is not None and not guard.agreement.startswith(UNMEASURED):
        return CheckResult(name="short form", status="ok", detail=detail)
    mend = "`agentdog packs agreement URI FILE` measures it on trajectories of yours; or use the full form"
    return CheckResult(name="short form", status="warn", detail=detail, mend=mend)


def _context(guard: ModelGuard, served: Served) -> CheckResult:
    wanted = guard.pack.context
    if served.context is None or served.frame is None:
        mend = (
            "keep trajectories short, or use vLLM or llama.cpp: what is too long is found out by the server's refusal"
        )
        return CheckResult(name="context", status="warn", detail="the server does not count tokens", mend=mend)
    left = min(n for n in (served.context, wanted) if n is not None) - served.frame
    detail = f"{served.context} tokens, {left} of them for the trajectory"
    if left <= 0:
        mend = f"serve with a context of more than {served.frame} tokens"
        return CheckResult(name="context", status="fail", detail=detail, mend=mend)
    if wanted is not None and served.context < wanted:
        mend = f"serve with --max-model-len {wanted}, for which the pack was made"
        return CheckResult(name="context", status="warn", detail=detail, mend=mend)
    return CheckResult(name="context", status="ok", detail=detail)


def _scores(served: Served) -> CheckResult:
    if served.scores == "none":
        mend = "serve with log-probabilities (vLLM and llama.cpp give them); without them there is a word, no P(unsafe)"
        return CheckResult(name="log-probabilities", status="warn", detail="none", mend=mend)
    if served.scores == "top_logprobs":
        mend = "a verdict word outside the likeliest tokens is only bounded; vLLM 0.11 or llama.cpp give it exactly"
        return CheckResult(name="log-probabilities", status="warn", detail="of the likeliest tokens only", mend=mend)
    return CheckResult(name="log-probabilities", status="ok", detail=f"exact, by {served.scores}")


def _structure(served: Served) -> CheckResult:
    if served.structure == "trie":
        return CheckResult(
            name="structured outputs", status="ok", detail="labels are written over their trie from here"
        )
    if served.structure == "none":
        mend = "labels are read only where the model keeps to the form by itself; serve with structured outputs"
        return CheckResult(name="structured outputs", status="warn", detail="not to be had here", mend=mend)
    return CheckResult(name="structured outputs", status="ok", detail=f"honoured, by {served.structure}")


async def _speed(guard: ModelGuard, api: Api, served: Served) -> AsyncIterator[CheckResult]:
    """Sends the same new text twice, the first read at full cost, the second from what was kept; then has it write."""
    text = f"{time.time_ns()} " + " ".join(f"word{n}" for n in range(_WORDS))
    try:
        (cold, cold_s), (warm, warm_s) = [await _timed(api, served, text, 1) for _ in range(2)]
        long, long_s = await _timed(api, served, text, _WRITTEN)
    except ChatFailure as failure:
        mend = "it answered shorter questions: see its log, or raise timeout in the guard's URI"
        yield CheckResult(name="speed", status="fail", detail=f"{failure.reason}: {failure.detail}", mend=mend)
        return
    if cold.usage.prompt is None:
        yield CheckResult(name="speed", status="skip", detail=f"{cold_s:.2f} s; the server tells no token counts")
    else:
        read = f"{cold.usage.prompt / cold_s:.0f} tokens/s read ({cold.usage.prompt} in {cold_s:.2f} s)"
        yield CheckResult(name="speed", status="ok", detail=f"{read}{_writing(long, long_s - warm_s)}")
    detail = f"second reading took {warm_s:.2f} s, the first {cold_s:.2f} s"
    if warm.usage.cached:
        detail = f"{warm.usage.cached} of {warm.usage.prompt} tokens cached; {detail}"
        yield CheckResult(name="prefix cache", status="ok", detail=detail)
        return
    mend = "vLLM: leave prefix caching on and add --enable-prompt-tokens-details; else every step costs the whole run"
    if isinstance(guard, EngineGuard):
        mend = "this model cannot read on from what was kept, so every step costs the whole run"
    yield CheckResult(name="prefix cache", status="warn", detail=f"no cached tokens told; {detail}", mend=mend)


def _writing(answer: Answer, seconds: float) -> str:
    """Tells how fast it writes, where it wrote enough to say so."""
    count = (answer.usage.completion or 0) - 1
    return f", {count / seconds:.0f} tokens/s written" if count >= 4 and seconds > 0 else ""


async def _timed(api: Api, served: Served, text: str, tokens: int) -> tuple[Answer, float]:
    began = time.perf_counter()
    answer = await api.chat([{"role": "user", "content": text}], model=served.model, max_tokens=tokens, temperature=0)
    return answer, time.perf_counter() - began
