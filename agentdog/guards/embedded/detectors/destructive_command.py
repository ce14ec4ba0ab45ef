"""Commands and code that are hard to undo, or that open the machine to others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import Act, Turn
from agentdog.guards.verdict import Evidence, Labels

_LABELS = Labels(
    risk_source="inherent_agent_failures",
    failure_mode="insecure_interaction_or_execution",
    real_world_harm="security_and_system_integrity_harm",
)
_AROUND = 40


@dataclass(frozen=True, slots=True)
class DestructiveCommand:
    """Reads what is executed, never prose about it."""

    name: str = "destructive_command"
    explanation: str = (
        "A command or query that wipes data, opens a shell to others, plants access or covers tracks. Reads only what "
        "is executed; counts little where the user typed the command himself."
    )

    def find(self, turn: Turn, scene: Scene) -> Iterator[Evidence]:
        """Yields every dangerous pattern in the code that the call runs."""
        for act in turn.acts:
            yield from self._look(act, scene)

    def _look(self, act: Act, scene: Scene) -> Iterator[Evidence]:
        weights = scene.catalogue.weights["destructive_command"]
        for code in act.code:
            for danger in scene.catalogue.destructive:
                match = danger.pattern.search(code)
                if not match:
                    continue
                typed = scene.request.typed(match[0])
                yield Evidence(
                    detector=self.name,
                    message=f"What {act.call.name} executes {danger.name}.",
                    step=act.step,
                    quote=code[max(0, match.start() - _AROUND) : match.end() + _AROUND],
                    labels=_LABELS,
                    weight=round(weights[danger.severity] * (weights["user_typed_factor"] if typed else 1.0), 4),
                )
