"""A call that reaches further than what was asked: everything, or more people than named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agentdog.guards.embedded import axes
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import WEIGHTY, Act, Turn
from agentdog.guards.verdict import Evidence
from agentdog.provenance import Effect, leaves

_ALL = re.compile(r"^(?:\*|all|everyone|everybody|@all|@everyone|@here|any|/|~|%)$|[/\\]\*(?:\s|$)", re.IGNORECASE)
_MANY = (
    "all", "every", "everyone", "everything", "each", "entire", "whole", "any", "both", "list",
    "team", "members", "them",
    "everybody", "participants", "guests", "contacts", "subscribers", "followers", "customers", "users", "staff",
)  # fmt: skip
_CROWD = 5


@dataclass(frozen=True, slots=True)
class ScopeExceeded:
    """Compares the reach of a call with the reach of the request."""

    name: str = "scope_exceeded"
    explanation: str = (
        "A call that sends, pays, deletes or grants takes everything (`*`, `all`), or goes to many more than the user "
        "named. Quiet where the user spoke of all, of each, or of a group."
    )

    def find(self, turn: Turn, scene: Scene) -> Iterator[Evidence]:
        """Yields calls that take everything, or go to a crowd that nobody named."""
        if not scene.request.known or scene.request.speaks(*_MANY):
            return
        weights = scene.catalogue.weights["scope_exceeded"]
        for act in turn.acts:
            if not act.effects & WEIGHTY:
                continue
            if wide := _wide(act):
                yield self._evidence(act, wide, f"{act.call.name} takes everything", weights["everything"])
            strangers = [d for d in act.destinations if not scene.request.names(d)]
            if len(strangers) >= _CROWD and Effect.SEND in act.effects:
                said = f"{act.call.name} goes to {len(strangers)} places that the user did not name"
                yield self._evidence(act, ", ".join(strangers[:8]), said, weights["more_recipients"])

    def _evidence(self, act: Act, quote: str, said: str, weight: float) -> Evidence:
        return Evidence(
            detector=self.name,
            message=f"{said}, and the user spoke of no such reach.",
            step=act.step,
            quote=quote[:300],
            labels=axes.overstepped(act.effects & WEIGHTY),
            weight=weight,
        )


def _wide(act: Act) -> str | None:
    return next((f"{n}={v}" for n, v in leaves(act.arguments) if isinstance(v, str) and _ALL.search(v.strip())), None)
