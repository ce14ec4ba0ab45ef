"""Which runs a list shows, as its address says it: read from a query, put to the API, kept as a saved view. Pure.

Invariant: the address holds every filter, by the API's names and ids, so a filtered list can be shared and survives a
reload; the words that people read are taken in an address too. What is no filter's value goes to the API as it is, and
that says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast, get_args

from agentdog.client import wording
from agentdog.client.shapes import DisplayVerdict, Taxonomy, ViewFilters

VERDICTS: tuple[DisplayVerdict, ...] = get_args(DisplayVerdict)
#: Spans of time that end now, by how an address names them.
LAST = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days"}
REVIEWED = {"yes": "Reviewed", "no": "Not reviewed"}
OPEN = {"yes": "Waits for review"}
#: Orders of the list: what is sorted by and which end comes first → the words; the first is what nobody chose.
ORDERS = {
    ("start", "newest"): "Newest first",
    ("start", "oldest"): "Oldest first",
    ("p_unsafe", "highest"): "Highest P(unsafe) first",
    ("p_unsafe", "lowest"): "Lowest P(unsafe) first",
    ("steps", "highest"): "Most steps first",
    ("steps", "lowest"): "Fewest steps first",
    ("duration", "highest"): "Longest first",
    ("duration", "lowest"): "Shortest first",
}
_ORDERED = ("sort", "order")
_SAME = {"newest": "highest", "oldest": "lowest"}
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhd])")

#: A filter's name in the address → its heading; in the order in which people read them.
HEADINGS = {
    "verdict": "Verdict",
    "risk_source": "Where",
    "failure_mode": "How",
    "real_world_harm": "What",
    "project": "Project",
    "agent": "Agent",
    "tool": "Tool",
    "reviewed": "Reviewed",
    "open": "Incidents",
    "last": "When",
    "from": "From",
    "until": "Until",
}


def words_of(taxonomy: Taxonomy) -> dict[str, dict[str, str]]:
    """Returns, for filters with a closed list of values, how people read each value."""
    known: dict[str, dict[str, str]] = {
        "verdict": dict(wording.VERDICT_WORDS),
        "reviewed": REVIEWED,
        "open": OPEN,
        "last": LAST,
    }
    for axis in taxonomy["axes"]:
        known[axis["id"]] = {label["id"]: label["name"] for label in axis["labels"]}
    return known


def read(query: Mapping[str, str], taxonomy: Taxonomy) -> dict[str, str]:
    """Reads the filters of an address; a value's words count as the value."""
    words = words_of(taxonomy)
    chosen: dict[str, str] = {}
    for name in (*HEADINGS, *_ORDERED):
        value = query.get(name, "").strip()
        if value:
            by_word = {word: each for each, word in words.get(name, {}).items()}
            chosen[name] = by_word.get(value, value)
    if chosen.get("sort") == "start":
        del chosen["sort"]
    if chosen.get("order") in ("newest", "highest"):
        del chosen["order"]
    return chosen


def order_of(chosen: Mapping[str, str]) -> tuple[str, str]:
    """Returns which of `ORDERS` is chosen; what is none of them comes back as it is."""
    sort, end = chosen.get("sort", "start"), chosen.get("order", "newest")
    backwards = {b: a for a, b in _SAME.items()}
    return sort, (backwards if sort == "start" else _SAME).get(end, end)


def ordered(order: tuple[str, str]) -> dict[str, str]:
    """Puts one of `ORDERS` in an address; what is empty is left out there."""
    sort, end = order
    return {"sort": "" if sort == "start" else sort, "order": "" if end in ("newest", "highest") else end}


def worded(name: str, value: str, taxonomy: Taxonomy) -> str:
    """Words one filter's value; untrusted text becomes visible."""
    if name == "last":
        return LAST.get(value) or f"Last {value}"
    if name in ("from", "until"):
        return value.replace("T", " ").removesuffix("Z") + " UTC"
    return words_of(taxonomy).get(name, {}).get(value) or wording.visible(value)


def asked(chosen: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Puts filters as the API's list takes them; spans of time that end now begin before `now`."""
    query: dict[str, Any] = {name: value for name, value in chosen.items() if name not in ("last", "from", "until")}
    seconds = _seconds(chosen.get("last", ""))
    if seconds is not None:
        query["since"] = (now.astimezone(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    elif "last" in chosen:
        query["since"] = chosen["last"]  # the API says what is wrong with it
    for name, parameter in (("from", "since"), ("until", "until")):
        if name in chosen and "last" not in chosen:
            query[parameter] = _moment(chosen[name])
    return query


def kept(chosen: Mapping[str, str]) -> ViewFilters:
    """Turns filters into a saved view's."""
    filters: dict[str, Any] = {name: v for name, v in chosen.items() if name not in ("last", "from", "until")}
    seconds = _seconds(chosen.get("last", ""))
    if seconds is not None:
        filters["last_s"] = seconds
    else:
        filters |= {p: _moment(chosen[n]) for n, p in (("from", "since"), ("until", "until")) if n in chosen}
    return cast("ViewFilters", filters)


def address(filters: ViewFilters) -> dict[str, str]:
    """Turns a saved view's filters into an address."""
    given: dict[str, Any] = dict(filters)
    seconds, since = given.pop("last_s", None), given.pop("since", None)
    if seconds:
        given["last"] = span(seconds)
    if since:
        given["from"] = since
    return {name: str(value) for name, value in given.items() if value}


def span(seconds: int) -> str:
    """Names a span of time: ``7d``; the largest unit that divides it, 24 hours apart."""
    if seconds == _UNITS["d"]:
        return "24h"
    unit = next((name for name in ("d", "h", "m") if seconds % _UNITS[name] == 0), "m")
    return f"{max(1, seconds // _UNITS[unit])}{unit}"


def _seconds(text: str) -> int | None:
    match = _SPAN.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


def _moment(text: str) -> str:
    """A time without an offset is UTC; one with whole minutes gets its seconds."""
    try:
        read_as = datetime.fromisoformat(text)
    except ValueError:
        return text  # the API says what is wrong with it
    return read_as.strftime("%Y-%m-%dT%H:%M:%SZ") if read_as.tzinfo is None else text
