"""The seam between a message and whoever takes it: one `Notifier` per configured place."""

from __future__ import annotations

from typing import Protocol

import msgspec

from agentdog.outbound.alerts import Alert


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What became of one try.

    Attributes:
        ok: taken; nothing is left to do.
        error: otherwise what went wrong, in words that hold no secret.
        final: it will never be taken; another try is of no use.
        retry_after_s: the receiver asks to be left alone for so long.
        note: taken, but not all of it: what is missing and why.
    """

    ok: bool
    error: str | None = None
    final: bool = False
    retry_after_s: float | None = None
    note: str | None = None


class Notifier(Protocol):
    """Somewhere that alerts are sent to."""

    @property
    def name(self) -> str:
        """Which one, among those of a sidecar; kept with deliveries, so it does not change with an address."""
        ...

    def body(self, alert: Alert) -> bytes:
        """Builds the message of an alert, once; every try sends the same bytes."""
        ...

    async def send(self, body: bytes, key: str) -> Answer:
        """Sends a message; `key` is the same for every try. Raises nothing: what fails is an answer."""
        ...

    async def trouble(self) -> str | None:
        """Looks whether a message could be sent, without sending one; says what is in the way."""
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...
