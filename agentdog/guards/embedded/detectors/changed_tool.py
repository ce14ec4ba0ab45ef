"""A tool whose description gives orders, that changed on the way, or that was never offered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentdog.guards.embedded import axes
from agentdog.guards.embedded.instructions import Origin
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import Act, Turn
from agentdog.guards.verdict import Evidence
from agentdog.provenance import Effect
from agentdog.trajectory import Tool


@dataclass(frozen=True, slots=True)
class ChangedTool:
    """Compares the tools that are called with the tools that were offered."""

    name: str = "changed_tool"
    explanation: str = (
        "The agent calls a tool whose description speaks to the agent rather than about the tool, one that was "
        "described in other words earlier in the run, or one that stands in no list that it was given. Quiet where no "
        "list is known."
    )

    def find(self, turn: Turn, scene: Scene) -> Iterator[Evidence]:
        """Yields calls of tools that give orders, and of tools that nobody offered."""
        weights = scene.catalogue.weights["changed_tool"]
        speaking = {i.quote: i for i in scene.instructions if i.origin is Origin.TOOL}
        for act in turn.acts:
            tool = scene.tools.get(act.call.name)
            description = (tool.description or "") if tool else ""
            order = next((q for q in speaking if q and q in " ".join(description.split("\n"))), None)
            if order:
                said = f"The description of {act.call.name} gives the agent orders, and the agent calls it."
                yield self._evidence(act, order, said, weights["speaks"], "tool_description_injection")
            elif before := scene.redefined.get(act.call.name):
                said = f"{act.call.name} was described otherwise before: {(before.description or '')[:120]!r}."
                yield self._evidence(
                    act, description, said, self._weigh(before, description, scene), "corrupted_tool_feedback"
                )
            elif scene.offered and act.call.name not in scene.offered:
                said = f"{act.call.name} stands in no list of tools that the agent was given."
                yield self._evidence(act, act.quote, said, weights["not_offered"], "malicious_tool_execution")

    def _weigh(self, before: Tool, now: str, scene: Scene) -> float:
        """Weighs a new description: heavily where it speaks of effects that the old one did not speak of."""
        weights, asked = scene.catalogue.weights["changed_tool"], scene.effects.asked
        more = asked(now) - asked(before.description or "") - {Effect.READ, Effect.EXECUTE}
        return weights["does_else" if more else "reworded"]

    def _evidence(self, act: Act, quote: str, said: str, weight: float, source: str) -> Evidence:
        return Evidence(
            detector=self.name,
            message=said,
            step=act.step,
            quote=quote[:300],
            labels=axes.of(source, "choosing_malicious_tool", act.effects),
            weight=weight,
        )
