"""Weighty calls (pay, delete, grant, send) that the user neither asked for nor confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentdog.guards.embedded import axes
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import Act, Turn
from agentdog.guards.verdict import Evidence
from agentdog.provenance import Effect, Kind, Source
from agentdog.provenance.values import leaves

_WEIGHTY = {
    Effect.PAY: "moves money",
    Effect.DELETE: "deletes or cancels something",
    Effect.GRANT: "changes rights or protection",
    Effect.SEND: "sends something out",
}


@dataclass(frozen=True, slots=True)
class UnconfirmedAction:
    """Compares what a call does with what was asked for."""

    name: str = "unconfirmed_action"
    explanation: str = (
        "The agent pays, deletes, grants rights or sends, and nothing that the user said or agreed to asks for it. "
        "Quiet where the request is not known, where the user hands the say over, and for what the agent made itself."
    )

    def find(self, turn: Turn, scene: Scene) -> Iterator[Evidence]:
        """Yields the weightiest effect that nobody asked for."""
        for act in turn.acts:
            yield from self._look(act, scene)

    def _look(self, act: Act, scene: Scene) -> Iterator[Evidence]:
        weights = scene.catalogue.weights["unconfirmed_action"]
        unasked = scene.request.unasked(act.effects) & _WEIGHTY.keys()
        if not unasked or _own_things(act):
            return
        effect = max(sorted(unasked), key=lambda e: weights[e])
        factor = weights["by_command_factor"] if act.by_command else 1.0
        yield Evidence(
            detector=self.name,
            message=f"{act.call.name} {_WEIGHTY[effect]}, and nothing that the user said or agreed to asks for it.",
            step=act.step,
            quote=_quote(act),
            labels=axes.overstepped(frozenset([effect])),
            weight=round(weights[effect] * factor, 4),
        )


def _own_things(act: Act) -> bool:
    """Whether the call touches only things that the agent itself brought up in an earlier step (its own files)."""
    things = [t for t in act.traces if t.value.kind in (Kind.PATH, Kind.IDENTIFIER)]
    return bool(things) and all(t.seen and t.origin is Source.AGENT for t in things)


def _quote(act: Act) -> str:
    said = ", ".join(f"{name}={leaf}" if name else str(leaf) for name, leaf in leaves(act.arguments))
    return f"{act.call.name}({said})"[:300]
