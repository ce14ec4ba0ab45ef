"""How often a short form answers as the full form does: measured where the weights are, "unmeasured" elsewhere.

A short form begins the answer up to the verdict, so that a model that was trained to think first does not. Whether it
still answers the same is a property of the weights, which nobody but their owner can measure; what he measured is kept
in his pack folder, by model and by the pack's fingerprint, and stands beside every use of the short form from then on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from agentdog.base.clock import SystemClock, rfc3339
from agentdog.base.errors import UsageError
from agentdog.base.stats import Interval, bootstrap
from agentdog.guards.packs import Pack, shipped
from agentdog.guards.protocol import Guard
from agentdog.guards.verdict import Outcome, Verdict
from agentdog.trajectory import Header, Trajectory

UNMEASURED = "unmeasured"
_FILE = "agreement.json"


class Agreement(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was measured for one model.

    Attributes:
        model: as its server or its folder names it.
        short: name of the short form; `full` of the form that it stands for.
        short_pack: fingerprint of the short form as it was asked, wording and layout included. Its prompt is that of
            the full form, so that it changes with it.
        data: name of what was judged.
        asked: trajectories; `judged`: those to which both forms gave a verdict, on which everything below rests.
        agreement: share of them with the same verdict, with its 95 % interval by trajectory.
        kappa: the same less what chance would give (Cohen 1960); ``None`` where one form gave one answer throughout.
        shift: P(unsafe) of the short form less that of the full one, where both have one.
        unsafe_full: how many the full form called unsafe; `unsafe_short`: the short one.
        not_evaluated: form → reason → how many.
        written: form → tokens that the model wrote.
        measured_at: RFC 3339.
    """

    model: str
    short: str
    full: str
    short_pack: str
    data: str
    asked: int
    judged: int
    agreement: Interval
    kappa: Interval
    shift: Interval
    unsafe_full: int
    unsafe_short: int
    not_evaluated: dict[str, dict[str, int]] = {}
    written: dict[str, int] = {}
    measured_at: str

    def told(self) -> str:
        """The measurement in one line."""
        if self.agreement.value is None:
            return f"{UNMEASURED}: of {self.asked} trajectories none was judged by both forms"
        low, high = self.agreement.low or 0.0, self.agreement.high or 0.0
        bounds = f"95 % interval {low:.1%} to {high:.1%}"
        return (
            f"{self.agreement.value:.1%} of {self.judged} trajectories ({bounds}), {self.data}, {self.measured_at[:10]}"
        )


class Pair(NamedTuple):
    """What two forms said of one trajectory."""

    short: Verdict
    full: Verdict

    @property
    def both(self) -> bool:
        """Tells whether both gave a verdict."""
        return Outcome.NOT_EVALUATED not in (self.short.outcome, self.full.outcome)


def forms(pack: Pack) -> tuple[str, str]:
    """Returns the names of the short and the full form that a pack is one of; raises `UsageError` for any other."""
    for other in shipped().values():
        if other.short_of is not None and pack.name in (other.name, other.short_of):
            return other.name, other.short_of
    known = ", ".join(f"{p.name} of {p.short_of}" for p in shipped().values() if p.short_of)
    raise UsageError(f"pack {pack.name} has no short form and is none; there are {known}: name one with --pack")


async def ask(
    trajectories: Sequence[Trajectory], guard: Guard, *, at_once: int, done: Callable[[], None]
) -> list[Verdict]:
    """Has whole trajectories judged, so many at once, and closes the guard; calls `done` after each."""
    slots = asyncio.Semaphore(at_once)

    async def one(trajectory: Trajectory) -> Verdict:
        async with slots:
            session = guard.open(Header.of(trajectory))
            for step in trajectory.steps:
                session.extend(step)
            verdict = await session.verdict()
        done()
        return verdict

    try:
        return list(await asyncio.gather(*(one(trajectory) for trajectory in trajectories)))
    finally:
        await guard.close()


def summary(pairs: Sequence[Pair], model: str, short: Pack, full: Pack, data: str) -> Agreement:
    """Puts a measurement together."""
    both = [pair for pair in pairs if pair.both]
    found = compare(both)
    sides = {short.name: [pair.short for pair in pairs], full.name: [pair.full for pair in pairs]}
    return Agreement(
        model=model,
        short=short.name,
        full=full.name,
        short_pack=short.fingerprint,
        data=data,
        asked=len(pairs),
        judged=len(both),
        agreement=found["agreement"],
        kappa=found["kappa"],
        shift=found["shift"],
        unsafe_full=sum(pair.full.outcome is Outcome.UNSAFE for pair in both),
        unsafe_short=sum(pair.short.outcome is Outcome.UNSAFE for pair in both),
        not_evaluated={name: dict(Counter(str(v.reason) for v in side if v.reason)) for name, side in sides.items()},
        written={name: sum(v.completion_tokens or 0 for v in side) for name, side in sides.items()},
        measured_at=rfc3339(SystemClock().now_ns()),
    )


def compare(pairs: Sequence[Pair]) -> dict[str, Interval]:
    """Returns agreement, kappa and shift of P(unsafe), each with its interval; resampled by trajectory."""
    return bootstrap(pairs, _statistics)


def _statistics(pairs: Sequence[Pair]) -> Mapping[str, float | None]:
    if not pairs:
        return {"agreement": None, "kappa": None, "shift": None}
    same = sum(pair.short.outcome is pair.full.outcome for pair in pairs) / len(pairs)
    short, full = (sum(v.outcome is Outcome.UNSAFE for v in side) / len(pairs) for side in zip(*pairs, strict=True))
    chance = short * full + (1 - short) * (1 - full)
    shifts = [
        pair.short.p_unsafe - pair.full.p_unsafe
        for pair in pairs
        if pair.short.p_unsafe is not None and pair.full.p_unsafe is not None
    ]
    return {
        "agreement": same,
        "kappa": None if chance == 1 else (same - chance) / (1 - chance),
        "shift": sum(shifts) / len(shifts) if shifts else None,
    }


def kept(folder: Path | None) -> tuple[Agreement, ...]:
    """Returns what was measured; nothing where the file is not there or is not ours."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=tuple[Agreement, ...]) if folder else ()
    except (OSError, msgspec.MsgspecError):
        return ()


def keep(folder: Path, found: Agreement) -> None:
    """Keeps a measurement in the place of the one before of the same model and packs."""
    others = [one for one in kept(folder) if (one.model, one.short_pack) != (found.model, found.short_pack)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_bytes(msgspec.json.format(msgspec.json.encode((*others, found)), indent=2) + b"\n")


def known(pack: Pack, model: str, folder: Path | None) -> str | None:
    """Says what is known of a short form's agreement with the full one; ``None`` for a pack that is no short form."""
    if pack.short_of is None:
        return None
    asked = (model, pack.fingerprint)
    found = next((one for one in kept(folder) if (one.model, one.short_pack) == asked), None)
    return found.told() if found else UNMEASURED


def noted(pack: Pack, agreement: str | None) -> str | None:
    """Returns a pack's note, with what is known of its agreement where it is a short form."""
    told = f"Its agreement with the full form {pack.short_of}: {agreement}." if agreement else None
    return " ".join(filter(None, (pack.note, told))) or None
