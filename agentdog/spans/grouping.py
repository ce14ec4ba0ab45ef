"""Which units are one trajectory: the same session, a shared id, or a history that one produced and another replays.

`keys_of` names the links as opaque strings, `groups` decides; both read the same `Links`, so whoever gathers units by
`counterparts` of their keys, transitively, holds every unit that `groups` could join. A key says only that a join is
possible: where both units bear different sessions, or several could have produced what one replays, `groups` decides
more strictly.

A user's text alone joins nothing. A session id that names a response, or changes with every request, is no session.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

import msgspec

from agentdog.base.ids import digest
from agentdog.spans.turns import Said, as_said, keys, normal
from agentdog.spans.utterances import Heard

#: How keys begin that say what a unit produced, and what it was sent as history; other keys are shared as they are.
MADE, USED = "made:", "used:"


class Links(msgspec.Struct, kw_only=True):
    """What one unit can be joined by.

    Attributes:
        sessions: session ids and how many of its records bear each.
        since: when each session id was first borne.
        responses: ids of responses that it received, with the time of the request.
        referred: ids of responses that it refers to.
        linked: traces that its spans link to.
        made: content that it produced, with the time: tool calls, answers.
        used: content that it was sent as history, with the time.
    """

    start: int = 0
    sessions: Counter[str] = msgspec.field(default_factory=Counter)
    since: dict[str, int] = msgspec.field(default_factory=dict)
    responses: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    referred: set[str] = msgspec.field(default_factory=set)
    linked: set[str] = msgspec.field(default_factory=set)
    made: dict[str, int] = msgspec.field(default_factory=dict)
    used: dict[str, int] = msgspec.field(default_factory=dict)


def hear_links(links: Links, heard: Heard) -> None:
    """Adds what one utterance links its unit by."""
    if heard.response_id:
        start, end = links.responses.get(heard.response_id, (heard.at.start, heard.end))
        links.responses[heard.response_id] = (min(start, heard.at.start), max(end, heard.end))
    if heard.previous_id:
        links.referred.add(heard.previous_id)
    reading = heard.reading
    history = as_said(reading.input)
    for key in _content_keys(history):
        links.used[key] = min(heard.at.start, links.used.get(key, heard.at.start))
    for key in _content_keys([*history, *as_said(reading.output)], since=len(history)):
        links.made[key] = min(heard.at.start, links.made.get(key, heard.at.start))
    for message in reading.input:
        if message.call_id:
            key = "call:" + message.call_id
            links.used[key] = min(heard.at.start, links.used.get(key, heard.at.start))
    if reading.kind == "tool" and reading.call is not None and reading.call.id:
        key = "call:" + reading.call.id
        links.used[key] = min(heard.at.start, links.used.get(key, heard.at.start))


def keys_of(unit: str, links: Links) -> frozenset[str]:
    """Returns the unit's keys: two units that bear `counterparts` may be the same trajectory.

    What a unit only produced joins it with who replays that, never with who produced the same: runs of one script say
    the same words hundreds of times. What it replays of its own is no link either.
    """
    names = {unit, *links.linked}
    ids = {f"id:{value}" for value in (*links.sessions, *links.responses, *links.referred)}
    used = {key for key, time in links.used.items() if links.made.get(key, time + 1) > time}
    return frozenset(
        {digest(key, size=10) for key in names | ids}
        | {MADE + digest("said", key, size=10) for key in links.made}
        | {USED + digest("said", key, size=10) for key in used}
    )


def call_keys(call_id: str) -> tuple[str, ...]:
    """Returns the keys by which units that tell of a call are found."""
    key = digest("said", "call:" + call_id, size=10)
    return (MADE + key, USED + key)


def counterparts(key: str) -> tuple[str, ...]:
    """Returns the keys of those that a unit with this key may be joined with."""
    if key.startswith(MADE):
        return (USED + key.removeprefix(MADE),)
    if key.startswith(USED):
        return (MADE + key.removeprefix(USED), key)
    return (key,)


def groups(units: Mapping[str, Links]) -> list[list[str]]:
    """Partitions units into trajectories, each in order of time, the earliest first."""
    joined = _Joined(units)
    responses = {value for links in units.values() for value in links.responses}
    sessions = {unit: session(links, responses) for unit, links in units.items()}
    _join_equal(joined, {unit: {value} if value else set() for unit, value in sessions.items()})
    joined.sessions = sessions
    _join_responses(joined, units)
    for unit, links in sorted(units.items()):
        for other in sorted(links.linked):
            if other in units:
                joined.join(unit, other)
    _join_replays(joined, units)
    return joined.parts()


def session(links: Links, responses: Iterable[str] = ()) -> str | None:
    """Returns the session id that a unit is believed to belong to.

    Args:
        links: the unit's.
        responses: response ids of all units: what names a response is no session (stateful APIs).
    """
    known = {*responses, *links.responses}
    found = Counter({value: count for value, count in links.sessions.items() if value not in known})
    if len(found) <= 1:
        return next(iter(found), None)
    # Agents that others delegate to may have conversations of their own; the one that was there first holds them.
    steady = [value for value, count in found.items() if count > 1]
    return min(steady, key=lambda value: (links.since[value], value), default=None)


class _Joined:
    """Disjoint sets of units; joining never brings two different sessions together."""

    def __init__(self, units: Mapping[str, Links]) -> None:
        self._units = units
        self._parent = {unit: unit for unit in units}
        self.sessions: dict[str, str | None] = {}

    def root(self, unit: str) -> str:
        while self._parent[unit] != unit:
            self._parent[unit] = self._parent[self._parent[unit]]
            unit = self._parent[unit]
        return unit

    def join(self, a: str, b: str) -> None:
        first, second = sorted((self.root(a), self.root(b)))
        if first == second:
            return
        ours, theirs = self.sessions.get(first), self.sessions.get(second)
        if ours and theirs and ours != theirs:
            return
        self._parent[second] = first
        if self.sessions:
            self.sessions[first] = ours or theirs

    def parts(self) -> list[list[str]]:
        out: dict[str, list[str]] = defaultdict(list)
        for unit in sorted(self._units, key=lambda u: (self._units[u].start, u)):
            out[self.root(unit)].append(unit)
        return list(out.values())


def _join_equal(joined: _Joined, values: Mapping[str, set[str]]) -> None:
    first: dict[str, str] = {}
    for unit in sorted(values):
        for value in sorted(values[unit]):
            joined.join(first.setdefault(value, unit), unit)


def _join_responses(joined: _Joined, units: Mapping[str, Links]) -> None:
    """Joins by ids of responses: who refers to one with the last who received it, and who received one together.

    A response is received once; two units that did so at one time are two instrumentations of one request.
    """
    received: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for unit, links in units.items():
        for value, (start, end) in links.responses.items():
            received[value].append((start, end, unit))
    for _, requests in sorted(received.items()):
        requests.sort()
        for (_, end, one), (start, _, other) in pairwise(requests):
            if start < end:
                joined.join(one, other)
    for unit, links in sorted(units.items()):
        for value in sorted({*links.referred, *links.sessions} & received.keys()):
            before = [other for start, _, other in received[value] if start <= links.start]
            joined.join(unit, before[-1] if before else received[value][0][2])


def _join_replays(joined: _Joined, units: Mapping[str, Links]) -> None:
    """Joins who replays something with the last who produced it before, else with who replayed it first."""
    makers: dict[str, list[tuple[int, str]]] = defaultdict(list)
    users: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for unit, links in units.items():
        for key, time in links.made.items():
            makers[key].append((time, unit))
        for key, time in links.used.items():
            users[key].append((time, unit))
    for key in sorted(users):
        ordered = sorted(users[key])
        produced = sorted(makers.get(key, ()))
        for time, unit in ordered:
            before = [maker for made, maker in produced if made <= time and maker != unit]
            if unit in {maker for _, maker in produced}:
                continue
            if before:
                joined.join(before[-1], unit)
            else:
                joined.join(ordered[0][1], unit)


def _content_keys(said: list[Said], since: int | None = None) -> list[str]:
    """Returns what identifies an agent's turns in a history: call ids; for mere text, the text with what led to it.

    A history may leave out what tools were asked; then the users' words lead to the text, so what was produced (from
    `since` on) is known by both. Where a history tells call ids, they alone lead: the same words may have been said to
    the same question before.
    """
    out: list[str] = []
    led_by = asked = ""
    for number, part in enumerate(said):
        message = part.message
        ids = [call.id for call in message.calls if call.id]
        if number >= (since or 0):
            out.extend("call:" + i for i in ids)
            if message.role == "agent" and message.text and not message.calls:
                leads = {led_by} if since is None else {led_by, asked}
                out.extend("text:" + digest(lead, normal(message.text), size=8) for lead in sorted(leads))
        if ids:
            led_by = ids[-1]
        elif message.role == "user":
            led_by = digest(led_by, *keys(message), size=8)
            asked = digest(asked, *keys(message), size=8)
    return out
