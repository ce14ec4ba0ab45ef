"""Which telemetry belongs to a session, or to a person: found by reading all of it, woven or not.

Nothing is indexed by person: that index would itself be personal data, and whoever asks to be forgotten can wait.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from agentdog.spans.records import Log, Record
from agentdog.store import keys
from agentdog.store.link import Link

Kind = Literal["session", "subject"]

#: Attributes that name whose record it is: ``session.id``, ``gen_ai.conversation.id``, ``user.id``, ``enduser.id`` …
_NAMES: Mapping[Kind, re.Pattern[str]] = {
    "session": re.compile(r"(?:.*[._])?(?:session|conversation|thread)[._]?id", re.IGNORECASE),
    "subject": re.compile(
        r"(?:.*[._])?(?:end[._]?)?user(?:[._]?(?:id|name|email|hash|full_name|pseudo[._]?id))?|(?:.*[._])?enduser",
        re.IGNORECASE,
    ),
}


async def units_where(
    link: Link,
    read: Callable[[bytes], Awaitable[Sequence[Record]]],
    project: str,
    kind: Kind,
    values: Collection[str],
) -> Sequence[str]:
    """Returns the units of a project of which a record names one of these values as its session, or its user."""
    found: set[str] = set()
    async for names in link.scan(keys.ALL_RECORDS):
        for name in names:
            if name.decode().split(":")[3] == project:
                found.update(record.unit for record in await read(name) if _names(record, kind, values))
    return sorted(found)


def _names(record: Record, kind: Kind, values: Collection[str]) -> bool:
    if kind == "session" and isinstance(record, Log) and record.session in values:
        return True
    wanted = _NAMES[kind]
    return any(wanted.fullmatch(name) and str(value) in values for name, value in _attributes(record))


def _attributes(record: Record) -> Iterator[tuple[str, Any]]:
    for attributes in (record.attributes, record.resource):
        for name, value in attributes.items():
            yield name, value
            if isinstance(value, Mapping):
                yield from ((f"{name}.{inner}", each) for inner, each in value.items())
