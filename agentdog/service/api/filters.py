"""What may be asked of the list, as the pydantic model that FastAPI reads the query string into.

Invariant: a filter that reaches the store can match something; a label or verdict nobody knows, a time that is none
and a misspelt parameter are refused with the field's name and the allowed values, never answered with an empty list.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from agentdog.base.clock import parse_rfc3339, rfc3339
from agentdog.store.contract import DisplayVerdict, Order, Query, Sort
from taxonomy import OVERLAYS, load

MAX_LIMIT = 200
MAX_EVENTS = 1000


def _known(axis: str) -> Callable[[str], str]:
    """Returns the check that a text is a label's id on this axis."""
    allowed = load("all").ids(axis)

    def check(value: str) -> str:
        if value not in allowed:
            remedy = f"use one of: {', '.join(allowed)}"
            raise PydanticCustomError("unknown_label", "{given} is unknown", {"given": repr(value), "remedy": remedy})
        return value

    return check


def _overlay(value: str) -> str:
    if value not in OVERLAYS:
        context = {"given": repr(value), "remedy": f"use one of: {', '.join(OVERLAYS)}"}
        raise PydanticCustomError("unknown_overlay", "{given} is unknown", context)
    return value


def _moment(value: str) -> str:
    """Reads an RFC 3339 time with any offset and returns it as the store's: UTC, nine fractional digits."""
    try:
        if value.endswith("Z"):
            return rfc3339(parse_rfc3339(value))
        read = datetime.fromisoformat(value)
        if read.tzinfo is None:
            raise ValueError("no offset")
        seconds = int(read.replace(microsecond=0).timestamp())
        return rfc3339(seconds * 1_000_000_000 + read.microsecond * 1000)
    except (ValueError, OverflowError, OSError):
        remedy = "use RFC 3339 with an offset, like 2026-01-31T09:30:00Z (in a URL, write + as %2B)"
        raise PydanticCustomError(
            "not_a_time", "{given} is not a time", {"given": repr(value), "remedy": remedy}
        ) from None


def _enum(axis: str) -> dict[str, object]:
    return {"type": "string", "enum": list(load("all").ids(axis))}


Text = Annotated[str, Field(min_length=1)]
Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
RiskSource = Annotated[str, AfterValidator(_known("risk_source")), WithJsonSchema(_enum("risk_source"))]
FailureMode = Annotated[str, AfterValidator(_known("failure_mode")), WithJsonSchema(_enum("failure_mode"))]
Harm = Annotated[str, AfterValidator(_known("real_world_harm")), WithJsonSchema(_enum("real_world_harm"))]

Overlay = Annotated[str, AfterValidator(_overlay), WithJsonSchema({"type": "string", "enum": list(OVERLAYS)})]


class TrajectoryFilter(BaseModel):
    """The list's parameters: all that are given must match."""

    model_config = ConfigDict(extra="forbid")

    verdict: DisplayVerdict | None = Field(None, description="As shown; `pending` until something was judged.")
    risk_source: RiskSource | None = Field(None, description="Where the risk came from: a label's id.")
    failure_mode: FailureMode | None = Field(None, description="How the agent failed: a label's id.")
    real_world_harm: Harm | None = Field(None, description="What harm follows: a label's id.")
    project: Text | None = Field(None, description="Exact name of the project.")
    agent: Text | None = Field(None, description="Exact name of an agent that took part.")
    tool: Text | None = Field(None, description="Exact name of a tool that was called.")
    reviewed: Literal["yes", "no"] | None = Field(None, description="Whether a person, or a rule of his, looked at it.")
    open: Literal["yes"] | None = Field(None, description="Has an incident that nobody confirmed or dismissed.")
    since: Moment | None = Field(None, description="Not before this time, RFC 3339.")
    until: Moment | None = Field(None, description="Not after this time, RFC 3339.")
    sort: Sort = Field("start", description="By start, P(unsafe) (largest of all steps), number of steps, or duration.")
    order: Order = Field("newest", description="Which end first; `newest` means the same as `highest`.")
    limit: int = Field(50, ge=1, le=MAX_LIMIT, description="Rows on a page.")
    cursor: Text | None = Field(None, description="The previous page's `next`.")

    def query(self) -> Query:
        """Returns the store's query."""
        return msgspec.convert(self.model_dump(), Query)


class EventFilter(BaseModel):
    """The feed's parameters."""

    model_config = ConfigDict(extra="forbid")

    since: Text | None = Field(None, description="A cursor from an earlier answer; without one, where the feed stands.")
    limit: int = Field(100, ge=1, le=MAX_EVENTS, description="Events in one answer.")


class TaxonomyFilter(BaseModel):
    """Which labels: the base of the paper, or with what an agent's own paper adds."""

    model_config = ConfigDict(extra="forbid")

    overlay: Overlay = Field("base", description="Labels beyond the base to include.")
