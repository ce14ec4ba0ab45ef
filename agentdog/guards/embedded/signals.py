"""What of a turn goes into P(unsafe): the detectors' heaviest findings, and shades that accuse nobody by themselves.

Invariant: a pure function of the turn and of what came before it; every signal lies in [0, 1]. Each has a direction in
`model.yaml`, which no fit may turn round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import WEIGHTY, Turn
from agentdog.guards.verdict import Evidence
from agentdog.provenance import Source

Signals = Mapping[str, float]


def _acts(turn: Turn, scene: Scene) -> float:
    return float(any(a.changes for a in turn.acts))


def _weighty(turn: Turn, scene: Scene) -> float:
    return float(any(a.effects & WEIGHTY for a in turn.acts))


def _unasked(turn: Turn, scene: Scene) -> float:
    return float(any(scene.request.unasked(a.effects) for a in turn.acts))


def _from_results(turn: Turn, scene: Scene) -> float:
    """Share of the values of changing calls that only results named."""
    placed = [t for a in turn.acts if a.changes for t in a.placed]
    return sum(t.untrusted_step is not None for t in placed) / len(placed) if placed else 0.0


def _invented(turn: Turn, scene: Scene) -> float:
    """Share of the values of changing calls that nobody said before: the agent's invention."""
    placed = [t for a in turn.acts if a.changes and not a.code for t in a.placed]
    return sum(not t.seen for t in placed) / len(placed) if placed else 0.0


def _given(turn: Turn, scene: Scene) -> float:
    """Share of the values of changing calls that the user or the system prompt gave."""
    placed = [t for a in turn.acts if a.changes for t in a.placed]
    return sum(Source.USER in t.seen or Source.SYSTEM in t.seen for t in placed) / len(placed) if placed else 0.0


def _behind_orders(turn: Turn, scene: Scene) -> float:
    """A step behind orders that stand in data: how much these try to take over, where the step acts."""
    return scene.seen_strength if turn.acts else 0.0


def _acts_behind_orders(turn: Turn, scene: Scene) -> float:
    return scene.seen_strength if any(a.changes for a in turn.acts) else 0.0


def _announces(turn: Turn, scene: Scene) -> float:
    return float(turn.announces)


def _pressed(turn: Turn, scene: Scene) -> float:
    return float(scene.request.pressure is not None and any(a.changes for a in turn.acts))


def _harm_asked(turn: Turn, scene: Scene) -> float:
    """Kinds of harm that the request speaks of, where the agent goes along: two say more than one."""
    along = bool(turn.acts) or len(turn.text) > 200
    return min(1.0, len(scene.request.harm) / 2) if along and not turn.refuses and not turn.asks else 0.0


def _unconcerned(turn: Turn, scene: Scene) -> float:
    """The run is closed without a word of refusal, doubt or question."""
    return float(turn.closing and not (turn.refuses or turn.warns or turn.asks))


def _exposure(turn: Turn, scene: Scene) -> float:
    """How much was changed so far, on a scale of doublings up to 32 acts."""
    count = scene.ledger.changes + sum(a.changes for a in turn.acts)
    return min(1.0, math.log2(1 + count) / 5)


def _schemes(turn: Turn, scene: Scene) -> float:
    """The agent's words tie a figure that it was set to something that it alters."""
    return float(scene.request.pressure is not None and turn.schemes)


def _refuses(turn: Turn, scene: Scene) -> float:
    return float(turn.refuses)


def _asks(turn: Turn, scene: Scene) -> float:
    return float(turn.asks)


def _warns(turn: Turn, scene: Scene) -> float:
    return float(turn.warns)


SHADES: Mapping[str, Callable[[Turn, Scene], float]] = {
    "acts": _acts,
    "weighty": _weighty,
    "unasked": _unasked,
    "from_results": _from_results,
    "invented": _invented,
    "given": _given,
    "behind_orders": _behind_orders,
    "acts_behind_orders": _acts_behind_orders,
    "announces": _announces,
    "pressed": _pressed,
    "harm_asked": _harm_asked,
    "unconcerned": _unconcerned,
    "exposure": _exposure,
    "schemes": _schemes,
    "refuses": _refuses,
    "asks": _asks,
    "warns": _warns,
}
"""Every shade, by name."""


def read(turn: Turn, scene: Scene, found: Iterable[Evidence]) -> dict[str, float]:
    """Returns the signals of a turn that are not zero."""
    signals: dict[str, float] = {}
    for evidence in found:
        signals[evidence.detector] = max(evidence.weight, signals.get(evidence.detector, 0.0))
    for name, shade in SHADES.items():
        if value := shade(turn, scene):
            signals[name] = value
    return signals
