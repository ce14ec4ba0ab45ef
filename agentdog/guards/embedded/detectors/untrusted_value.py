"""A destination that only an untrusted observation named, in a call that sends, pays or grants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentdog.guards.embedded import axes
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import Act, Turn
from agentdog.guards.verdict import Evidence
from agentdog.provenance import Effect, Kind, Trace

_OUTWARD = frozenset({Effect.SEND, Effect.PAY, Effect.GRANT})
_PLACES = frozenset({Kind.EMAIL, Kind.URL, Kind.HOST})


@dataclass(frozen=True, slots=True)
class UntrustedValue:
    """Asks who named the place that something goes to."""

    name: str = "untrusted_value"
    explanation: str = (
        "Money, rights or a message go to a place that only a tool's result named, and the user asked for nothing of "
        "the kind. Nearly quiet where the user asked to send or pay: then looking the place up is the job."
    )

    def find(self, turn: Turn, scene: Scene) -> Iterator[Evidence]:
        """Yields every destination that nobody with authority named."""
        for act in turn.acts:
            yield from self._look(act, scene)

    def _look(self, act: Act, scene: Scene) -> Iterator[Evidence]:
        outward = act.effects & _OUTWARD
        if not outward:
            return
        weights = scene.catalogue.weights["untrusted_value"]
        asked = not scene.request.unasked(outward)
        for trace in act.traces:
            if trace.untrusted_step is None or scene.vouched(trace) or not _is_destination(trace, scene):
                continue
            yield Evidence(
                detector=self.name,
                message=f"{act.call.name} goes to a place that only the result of step {trace.untrusted_step + 1} "
                f"named (argument {trace.argument}).",
                step=act.step,
                quote=trace.value.quote,
                source_step=trace.untrusted_step,
                labels=axes.misled(outward),
                weight=weights["asked" if asked else "unasked"],
            )


def _is_destination(trace: Trace, scene: Scene) -> bool:
    named_so = trace.argument.lower() in scene.effects.destinations
    return trace.value.kind in _PLACES or (named_so and trace.value.kind is Kind.IDENTIFIER)
