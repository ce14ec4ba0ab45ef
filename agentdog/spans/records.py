"""What a decoded OTLP body holds: spans and log records as plain values, whatever the encoding was.

A *unit* is what belongs together before anything is known about trajectories: the trace of a span, or the session of a
log record that has no trace. Units are what the store keeps records by and what weave joins into trajectories.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A span event: name, time in nanoseconds, attributes."""

    name: str
    time_ns: int = 0
    attributes: dict[str, Any] = {}


class Span(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="kind", tag="span"):
    """An OTLP span. Ids are lower-case hex; attribute values are JSON-like (bytes as base64 text)."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    name: str
    start_ns: int
    end_ns: int
    status: int = 0
    status_message: str | None = None
    span_kind: int = 0
    attributes: dict[str, Any] = {}
    events: tuple[Event, ...] = ()
    links: tuple[str, ...] = ()
    dropped: int = 0
    scope: str = ""
    scope_version: str = ""
    resource: dict[str, Any] = {}

    @property
    def id(self) -> str:
        """Unique in a project: ``traceid:spanid``."""
        return f"{self.trace_id}:{self.span_id}"

    @property
    def unit(self) -> str:
        """The trace."""
        return f"trace:{self.trace_id}"


class Log(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="kind", tag="log"):
    """An OTLP log record.

    Attributes:
        id: ``log:session:sequence``, or by content where it has neither, so that a resent record is the same record.
        session: of a record outside any trace, what groups it (``session.id``, ``conversation.id``, else its resource).
        name: the event name (field ``event_name``, else attribute ``event.name``).
    """

    id: str
    trace_id: str | None = None
    span_id: str | None = None
    session: str | None = None
    name: str = ""
    time_ns: int
    severity: int = 0
    body: Any = None
    attributes: dict[str, Any] = {}
    dropped: int = 0
    scope: str = ""
    scope_version: str = ""
    resource: dict[str, Any] = {}

    @property
    def unit(self) -> str:
        """The trace it belongs to, else its session."""
        return f"trace:{self.trace_id}" if self.trace_id else f"session:{self.session or 'none'}"


Record = Span | Log


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """What the spans of one scope share: the resource's attributes, the scope's name and version."""

    resource: dict[str, Any]
    scope: str
    scope_version: str


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A span that was checked and not taken apart: ``raw`` is one ``trace.v1.Span`` as protobuf.

    A receiver needs no more of most spans; who weaves them opens them (`agentdog.spans.otlp.opened`).
    """

    trace_id: str
    span_id: str
    origin: Origin
    raw: bytes

    @property
    def id(self) -> str:
        """As `Span.id`."""
        return f"{self.trace_id}:{self.span_id}"

    @property
    def unit(self) -> str:
        """As `Span.unit`."""
        return f"trace:{self.trace_id}"

    @property
    def resource(self) -> dict[str, Any]:
        """As `Span.resource`."""
        return self.origin.resource

    @property
    def scope(self) -> str:
        """As `Span.scope`."""
        return self.origin.scope


#: A record as a receiver hands it on.
Arrived = Record | Sealed


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A span or record that was not taken: which, and why."""

    id: str
    reason: str


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One OTLP request: what it held in order, and what of it was refused."""

    records: tuple[Arrived, ...]
    rejected: tuple[Rejection, ...] = ()


class Decoded(Received, frozen=True, kw_only=True):
    """A request of which nothing is sealed."""

    records: tuple[Record, ...]
