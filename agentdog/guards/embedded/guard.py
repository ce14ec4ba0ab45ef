"""`EmbeddedGuard`: the guard that is always there. Fast, explainable, local, and plainly not a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from agentdog.base.errors import UsageError
from agentdog.base.ids import digest
from agentdog.guards.embedded import catalogue
from agentdog.guards.embedded.detectors import DETECTORS, Detector
from agentdog.guards.embedded.injection import InjectionModel
from agentdog.guards.embedded.looks import Look
from agentdog.guards.embedded.model import THRESHOLD, Model
from agentdog.guards.embedded.model import load as load_model
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.session import EmbeddedSession
from agentdog.guards.protocol import GuardInfo, Health
from agentdog.provenance import load_catalogue
from agentdog.trajectory import Header, Step

VERSION = 3
"""Raised with every change of the detectors' code that may change a verdict."""
NOTE = (
    "Not AgentDoG, and no language model: transparent detectors over where values came from, joined by published "
    "weights. It sees obeyed injections, leaving secrets, destructive commands and unasked actions; it sees little of "
    "harmful talk, bad plans and lies."
)


class EmbeddedGuard:
    """Judges with detectors over provenance; needs no GPU, no network, no download."""

    def __init__(
        self,
        *,
        effects: Path | None = None,
        trusted_tools: Iterable[str] = (),
        threshold: float | None = None,
        detectors: Sequence[Detector] = DETECTORS,
        model: Model | None = None,
        uri: str = "embedded",
        injection: InjectionModel | None = None,
    ) -> None:
        """Builds the guard.

        Args:
            effects: a user's effects catalogue, put in front of ours.
            trusted_tools: tools whose results have the user's authority.
            threshold: P(unsafe) from which a prefix is unsafe; `model.THRESHOLD` when not given.
            detectors: which detectors look.
            model: weights that join their findings; the published ones when not given.
            uri: how it was written.
            injection: a classifier that reads observations too.

        Raises:
            UsageError: the effects catalogue cannot be used, or the threshold is no probability.
        """
        self._catalogue = catalogue.load()
        self._effects = load_catalogue(effects)
        self._trusted_tools = frozenset(trusted_tools)
        self._model = model or load_model()
        self._threshold = THRESHOLD if threshold is None else threshold
        if not self._model.floor < self._threshold <= 1.0:
            raise UsageError(f"threshold {threshold}: give a probability above {self._model.floor:.4f} and up to 1")
        self._detectors = tuple(detectors)
        self._injection = injection
        self._info = GuardInfo(name="embedded", uri=uri, fingerprint=self._fingerprint(), note=NOTE)

    def _fingerprint(self) -> str:
        return digest(
            "embedded",
            str(VERSION),
            self._catalogue.fingerprint,
            self._effects.fingerprint,
            self._model.fingerprint,
            str(self._threshold),
            *sorted(self._trusted_tools),
            *(f"detector:{d.name}" for d in self._detectors),
            *([f"injection:{self._injection.fingerprint}"] if self._injection is not None else []),
        )

    @property
    def info(self) -> GuardInfo:
        """Who it is, and what people must know before trusting it."""
        return self._info

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """The detectors that look, each with its explanation."""
        return self._detectors

    def open(self, header: Header) -> EmbeddedSession:
        """Starts a session for one trajectory."""
        scene = Scene(self._catalogue, self._effects, self._trusted_tools, header, self._injection)
        return EmbeddedSession(self._info.fingerprint, scene, self._detectors, self._model, self._threshold)

    def looks(self, header: Header, steps: Sequence[Step]) -> tuple[Look, ...]:
        """Says what each detector looked at in the last agent step of a prefix, the quiet ones too."""
        session = self.open(header)
        session.looking = True
        for step in steps:
            session.extend(step)
        return session.looks

    async def health(self) -> Health:
        """It always answers."""
        return Health(ok=True, detail=f"{len(self._detectors)} detectors in this process")

    async def close(self) -> None:
        """There is nothing to free: sessions belong to their callers."""
