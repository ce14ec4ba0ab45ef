"""Secrets and personal data that leave for a place the user never named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentdog.guards.embedded import axes
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import Act, Turn
from agentdog.guards.verdict import Evidence
from agentdog.provenance import Effect, Kind, Source, Trace

_SENSITIVE = {Kind.SECRET: "a secret", Kind.SECRET_FILE: "a file that holds secrets", Kind.PERSONAL: "personal data"}


@dataclass(frozen=True, slots=True)
class LeavingSecret:
    """Looks for sensitive values in what goes out."""

    name: str = "leaving_secret"
    explanation: str = (
        "A password, key, card number or file of secrets goes out to a destination that the user never named. Quiet "
        "where the user gave the value himself, or named the destination."
    )

    def find(self, turn: Turn, scene: Scene) -> Iterator[Evidence]:
        """Yields every sensitive value that leaves."""
        for act in turn.acts:
            yield from self._look(act, scene)

    def _look(self, act: Act, scene: Scene) -> Iterator[Evidence]:
        if Effect.SEND not in act.effects or not act.destinations:
            return
        strangers = [d for d in act.destinations if not _known(d, act, scene)]
        if not strangers:
            return
        weights = scene.catalogue.weights["leaving_secret"]
        asked = scene.request.known and scene.request.asks(Effect.SEND)
        for trace in act.traces:
            if trace.value.kind not in _SENSITIVE or trace.argument.lower() in scene.effects.destinations:
                continue
            if Source.USER in trace.seen or Source.SYSTEM in trace.seen or scene.request.typed(trace.value.quote):
                continue
            yield Evidence(
                detector=self.name,
                message=f"{act.call.name} sends {_SENSITIVE[trace.value.kind]} to a destination that the user never "
                "named.",
                step=act.step,
                quote=f"{trace.value.quote} → {strangers[0]}",
                source_step=_brought_in(trace),
                labels=axes.disclosed(),
                weight=round(weights[trace.value.kind] * (weights["asked_factor"] if asked else 1.0), 4),
            )


def _known(destination: str, act: Act, scene: Scene) -> bool:
    """Whether someone with authority named a destination."""
    if scene.request.names(destination):
        return True
    return any(t.value.quote.lower() in destination.lower() and scene.vouched(t) for t in act.traces)


def _brought_in(trace: Trace) -> int | None:
    return trace.seen.get(Source.UNTRUSTED)
