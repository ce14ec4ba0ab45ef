"""How it stands with what a project has learned: which version decides, or why none does."""

from __future__ import annotations

from typing import Literal

import msgspec

from agentdog.guards.embedded.learned.drift import Drift
from agentdog.guards.embedded.learned.model import Figures, Learned

State = Literal["off", "active", "drifted", "outdated"]


class Version(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One model that was learned.

    Attributes:
        version: its digest.
        made: RFC 3339.
        base: fingerprint of the embedded guard whose signals it reads.
        threshold: P(unsafe) from which a step is unsafe.
        figures: what it is worth.
    """

    version: str
    made: str
    base: str
    threshold: float
    figures: Figures

    @staticmethod
    def of(model: Learned) -> Version:
        """Takes what is told of a model."""
        return Version(
            version=model.version, made=model.made, base=model.base, threshold=model.threshold, figures=model.figures
        )


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a project has learned.

    Attributes:
        state: ``active``: the model decides; ``off``: an operator said so, or nothing was activated yet; ``drifted``:
            runs are no longer like those that it was learned from; ``outdated``: it reads the signals of another
            embedded guard. In all but the first the guard without it decides.
        version: of the model that decides, or that did until it was switched off.
        since: RFC 3339, when it came to stand so.
        why: in words.
        drift: the last test.
        versions: what was learned, the newest first.
    """

    project: str
    state: State = "off"
    version: str | None = None
    since: str | None = None
    why: str | None = None
    drift: Drift | None = None
    versions: tuple[Version, ...] = ()
