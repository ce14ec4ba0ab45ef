"""What each detector looked at in a step, the quiet ones too: could it have found anything?

Invariant: a description of the turn and the scene; it changes no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agentdog.guards.embedded.detectors import Detector
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import WEIGHTY, Turn
from agentdog.guards.verdict import Evidence
from agentdog.provenance import Kind


@dataclass(frozen=True, slots=True)
class Look:
    """One detector at one step.

    Attributes:
        detector: its name.
        explanation: what it looks for, and when it stays quiet.
        looked_at: what there was to look at in this step.
        weight: of its heaviest finding; 0 when it stayed quiet.
    """

    detector: str
    explanation: str
    looked_at: str
    weight: float


def _calls(turn: Turn) -> str:
    return f"{len(turn.acts)} call{'s' * (len(turn.acts) != 1)}"


def _of_kind(turn: Turn, *kinds: Kind) -> int:
    return sum(t.value.kind in kinds for a in turn.acts for t in a.traces)


_SAYS: Mapping[str, Callable[[Turn, Scene], str]] = {
    "obeyed_instruction": lambda t, s: f"{_calls(t)} beside {len(s.instructions)} instructions read so far",
    "untrusted_value": lambda t, s: (
        f"{sum(x.untrusted_step is not None for a in t.acts for x in a.traces)} of "
        f"{sum(len(a.traces) for a in t.acts)} values that only results named"
    ),
    "leaving_secret": lambda t, s: (
        f"{_of_kind(t, Kind.SECRET, Kind.SECRET_FILE, Kind.PERSONAL)} sensitive values, "
        f"{sum(len(a.destinations) for a in t.acts)} destinations"
    ),
    "credential_use": lambda t, s: f"{_of_kind(t, Kind.SECRET, Kind.SECRET_FILE)} secrets in {_calls(t)}",
    "destructive_command": lambda t, s: f"{sum(len(a.code) for a in t.acts)} commands or pieces of code",
    "unconfirmed_action": lambda t, s: (
        f"effects {_effects(t)}; the request "
        + ("is not known" if not s.request.known else "hands the say over" if s.request.delegated else "is known")
    ),
    "scope_exceeded": lambda t, s: f"{sum(bool(a.effects & WEIGHTY) for a in t.acts)} calls of consequence",
    "changed_tool": lambda t, s: f"{_calls(t)} beside {len(s.offered)} tools offered",
    "harmful_request": lambda t, s: f"{len(s.request.harm)} kinds of harm in the request",
    "edited_yardstick": lambda t, s: (
        f"{len(s.ledger.files)} files touched so far; "
        + (f"pressure: {s.request.pressure[:80]}" if s.request.pressure else "no figure is set to reach")
    ),
    "contradicted_claim": lambda t, s: _failure(s) + ("" if t.closing else "; the step does not close the run"),
    "untaken_action": lambda t, s: f"{len(t.claims)} deeds told, {s.ledger.names.total()} calls made before",
    "ignored_error": lambda t, s: _failure(s),
    "looping": lambda t, s: (
        f"{_calls(t)}, at most {max((s.ledger.repeated(a) for a in t.acts), default=0)} times before"
    ),
}


def _effects(turn: Turn) -> str:
    return ", ".join(sorted({e.value for a in turn.acts for e in a.effects})) or "none"


def _failure(scene: Scene) -> str:
    failed = scene.ledger.last_failed
    return f"a failure of {failed.tool} in step {failed.step + 1}" if failed else "no failure right before"


def _looked_at(detector: str, turn: Turn, scene: Scene) -> str:
    says = _SAYS.get(detector)
    return says(turn, scene) if says else _calls(turn)


def looks(turn: Turn, scene: Scene, detectors: Sequence[Detector], found: Iterable[Evidence]) -> tuple[Look, ...]:
    """Says for every detector what it looked at in a turn, and what came of it."""
    heaviest: dict[str, float] = {}
    for evidence in found:
        heaviest[evidence.detector] = max(evidence.weight, heaviest.get(evidence.detector, 0.0))
    return tuple(
        Look(d.name, d.explanation, _looked_at(d.name, turn, scene), heaviest.get(d.name, 0.0)) for d in detectors
    )
