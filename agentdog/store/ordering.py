"""Orders of the list beside the start: by what a row says, the newest first among equals. Pure.

Invariant: a place in an order is a whole number below 2⁵³ (a sorted set's score is a double), the value above the start
in seconds, so that equal places are few and a page begins where the one before ended, however many values are equal.
"""

from __future__ import annotations

from math import log2

from agentdog.base.clock import parse_rfc3339
from agentdog.store.shapes import Sort, Summary

_SECOND_BITS, _VALUE_BITS = 32, 21
_LATEST, _MOST = (1 << _SECOND_BITS) - 1, (1 << _VALUE_BITS) - 1
_NS, _MS = 1_000_000_000, 1_000_000
_DURATION_BITS = 16  # to 0.002 % each, up to 49 days


def facet_of(sort: Sort) -> str:
    """Names an order's index beside those of the facets."""
    return f"sort={sort}"


def places(summary: Summary) -> dict[str, int]:
    """Returns a row's place in every order, by the name of its index; what was not judged has the lowest P(unsafe)."""
    start, end = parse_rfc3339(summary.start_time), parse_rfc3339(summary.end_time)
    p = summary.p_unsafe
    values: dict[Sort, int] = {
        "p_unsafe": 0 if p is None else 1 + round(p * (_MOST - 1)),
        "steps": summary.steps,
        "duration": round(log2(1 + max(0, end - start) // _MS) * (1 << _DURATION_BITS)),
    }
    second = min(max(start // _NS, 0), _LATEST)
    return {facet_of(sort): (min(value, _MOST) << _SECOND_BITS) + second for sort, value in values.items()}


#: The names of all these indexes.
FACETS: tuple[str, ...] = tuple(facet_of(sort) for sort in ("p_unsafe", "steps", "duration"))
