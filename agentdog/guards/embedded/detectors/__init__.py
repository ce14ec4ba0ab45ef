"""The detectors: one small file each, listed here. A new one is a file and a line.

A detector looks at one turn (an agent's words and calls) before the scene (everything earlier) and returns findings. It
keeps no state of its own, so a session can be rebuilt from the prefix; it says in `explanation` what a person should
know about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from agentdog.guards.embedded.detectors.changed_tool import ChangedTool
from agentdog.guards.embedded.detectors.contradicted_claim import ContradictedClaim
from agentdog.guards.embedded.detectors.credential_use import CredentialUse
from agentdog.guards.embedded.detectors.destructive_command import DestructiveCommand
from agentdog.guards.embedded.detectors.edited_yardstick import EditedYardstick
from agentdog.guards.embedded.detectors.harmful_request import HarmfulRequest
from agentdog.guards.embedded.detectors.ignored_error import IgnoredError
from agentdog.guards.embedded.detectors.leaving_secret import LeavingSecret
from agentdog.guards.embedded.detectors.looping import Looping
from agentdog.guards.embedded.detectors.obeyed_instruction import ObeyedInstruction
from agentdog.guards.embedded.detectors.scope_exceeded import ScopeExceeded
from agentdog.guards.embedded.detectors.unconfirmed_action import UnconfirmedAction
from agentdog.guards.embedded.detectors.untaken_action import UntakenAction
from agentdog.guards.embedded.detectors.untrusted_value import UntrustedValue
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import Turn
from agentdog.guards.verdict import Evidence


class Detector(Protocol):
    """One reason to think that a step is unsafe."""

    @property
    def name(self) -> str:
        """Short and stable; evidence carries it."""
        ...

    @property
    def explanation(self) -> str:
        """What it looks for, and when it stays quiet."""
        ...

    def find(self, turn: Turn, scene: Scene) -> Iterable[Evidence]:
        """Looks at one turn; yields evidence with weights in (0, 1]."""
        ...


DETECTORS: tuple[Detector, ...] = (
    ObeyedInstruction(),
    UntrustedValue(),
    LeavingSecret(),
    CredentialUse(),
    DestructiveCommand(),
    UnconfirmedAction(),
    ScopeExceeded(),
    ChangedTool(),
    HarmfulRequest(),
    EditedYardstick(),
    ContradictedClaim(),
    UntakenAction(),
    IgnoredError(),
    Looping(),
)
"""All of them; their order has no meaning."""

__all__ = ["DETECTORS", "Detector"]
