"""Ids and links in little space: binary fields in few hashes, so that what leads to a step costs less than the step.

One hash per project and partition leads from any id to its trajectory, one from a join key to the units that share it.
Fields are eight bytes of BLAKE2b: that any two of a million ids meet has a chance of 3 in 10⁸.

Invariant: writing the same again changes no answer; a list of units may name one twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from agentdog.base.ids import digest
from agentdog.base.remembered import remembered
from agentdog.spans.grouping import MADE, USED
from agentdog.store import keys, scripts
from agentdog.store.link import Command, Link

_BYTES = 8
_LONGEST = 256  # characters of a key whose field is remembered
_CACHED = 1 << 15  # ids of runs that are under way are hashed again with every step
_SCAN_COUNT = 1000
_OURS = re.compile("t[0-9a-f]{16}")  # a trajectory's id, see spans.trajectory_id
_SHORT = b"\0"
_ROLES = {MADE: 1, USED: 2}  # in the two lowest bits of a join key's field


class Owners:
    """Leads from any id to the trajectory that it belongs to."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def naming(self, project: str, owner: str, ids: Iterable[str]) -> list[Command]:
        """Returns what lets ids lead to a trajectory."""
        value = _value(owner)
        by_key: dict[str, list[bytes]] = {}
        for each in dict.fromkeys(ids):
            by_key.setdefault(keys.ids(project, each), []).append(_field(each))
        return [
            ("HSET", name, *(part for field in fields for part in (field, value))) for name, fields in by_key.items()
        ]

    def owner(self, project: str, any_id: str) -> Command:
        """Returns the command that reads which trajectory an id leads to, for `named`."""
        return ("HGET", keys.ids(project, any_id), _field(any_id))

    async def forget(self, project: str, owner: str, ids: Iterable[str]) -> None:
        """Lets ids lead nowhere that led to a trajectory; those that lead elsewhere by now stay."""
        by_key: dict[str, list[bytes]] = {}
        for each in dict.fromkeys([owner, *ids]):
            by_key.setdefault(keys.ids(project, each), []).append(_field(each))
        value = _value(owner)
        await self._link.many([scripts.DISOWN.call([name], value, *fields) for name, fields in by_key.items()])

    async def sweep(self, project: str, owners: Collection[str]) -> int:
        """Removes ids that lead to other trajectories than these; returns how many."""
        kept, count = {_value(owner) for owner in owners}, 0
        for name in keys.all_ids(project):
            cursor = "0"
            while True:
                answer = await self._link.one("HSCAN", name, cursor, "COUNT", _SCAN_COUNT)
                cursor, flat = answer[0].decode(), answer[1]
                gone = [f for f, v in zip(flat[::2], flat[1::2], strict=True) if v not in kept]
                if gone:
                    count += await self._link.one("HDEL", name, *gone)
                if cursor == "0":
                    break
        return count

    async def find(self, projects: Sequence[str], any_id: str) -> Mapping[str, str]:
        """Returns the trajectory that an id leads to, by project."""
        answers = await self._link.many([self.owner(project, any_id) for project in projects])
        return {project: named(value) for project, value in zip(projects, answers, strict=True) if value is not None}


def named(value: bytes) -> str:
    """Reads what `Owners.owner` answered."""
    return "t" + value[1:].hex() if value.startswith(_SHORT) else value.decode()


class Joins:
    """Which units a unit may be joined with (by session, call id, response id …), and which keys a unit has.

    Keys are those of `spans.join_keys`, and who is joined by them is what `spans.counterparts` says.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def known(self, project: str, unit: str) -> Command:
        """Returns the command that reads which keys a unit has registered, for `meet`."""
        return ("GET", keys.joins(project, unit))

    async def meet(self, project: str, unit: str, joins: Iterable[str], known: bytes | None) -> Sequence[str]:
        """Adds keys to a unit, and returns it with all that it is joined to, however indirectly.

        Whoever looks one of these keys up from now on finds the unit; only then are others looked up.

        Args:
            project: of the unit.
            unit: whose keys they are.
            joins: keys of all that was read of it.
            known: what `known` answered.
        """
        had = _split(known)
        fresh = sorted({_join_field(join) for join in joins} - set(had))
        asked = {sought for join in (*had, *fresh) for sought in _sought(join)}
        *_, answers = await self._link.stages(*self._registering(project, unit, fresh), self._bearing(project, asked))
        return await self._joined(project, unit, answers, asked)

    def _registering(self, project: str, unit: str, fresh: Sequence[bytes]) -> tuple[list[Command], list[Command]]:
        if not fresh:
            return [], []
        name = _field(unit)
        by_key: dict[str, list[bytes]] = {}
        for field in fresh:
            by_key.setdefault(keys.join(project, field), []).append(field)
        naming: list[Command] = [("HSET", keys.units(project, name), name, unit)]
        naming += [scripts.JOIN.call([each], name, *fields) for each, fields in by_key.items()]
        # Only after that: a unit that knows a key does not register it again.
        return naming, [scripts.EXTEND.call([keys.joins(project, unit)], b"".join(fresh))]

    def _bearing(self, project: str, joins: Iterable[bytes]) -> list[Command]:
        """Returns the commands that read who bears these keys."""
        by_key: dict[str, list[bytes]] = {}
        for field in sorted(joins):
            by_key.setdefault(keys.join(project, field), []).append(field)
        return [("HMGET", name, *fields) for name, fields in by_key.items()]

    async def forget(self, project: str, unit: str) -> None:
        """Takes a unit out of all lists of who bears which key, and forgets its name."""
        name = _field(unit)
        by_key: dict[str, list[bytes]] = {}
        for field in _split(await self._link.one("GET", keys.joins(project, unit))):
            by_key.setdefault(keys.join(project, field), []).append(field)
        commands: list[Command] = [scripts.LEAVE.call([key], name, *fields) for key, fields in by_key.items()]
        await self._link.many([*commands, ("HDEL", keys.units(project, name), name)])

    async def bearers(self, project: str, joins: Iterable[str]) -> Sequence[str]:
        """Returns the units that bear any of these keys, who came last first."""
        fields = [_join_field(join) for join in joins]
        answers = await self._link.many([("HGET", keys.join(project, field), field) for field in fields])
        names = [name for answer in answers for name in reversed(_split(answer))]
        found = await self._link.many([("HGET", keys.units(project, name), name) for name in dict.fromkeys(names)])
        return [each.decode() for each in found if each is not None]

    async def _joined(
        self, project: str, unit: str, answers: Sequence[Sequence[bytes | None]], asked: set[bytes]
    ) -> Sequence[str]:
        """Follows keys from who bears the unit's own to who bears theirs, until nobody new is found."""
        found, seen = {unit}, {_field(unit)}
        while names := sorted({name for answer in answers for each in answer for name in _split(each)} - seen):
            seen.update(names)
            known = await self._link.many([("HGET", keys.units(project, name), name) for name in names])
            frontier = sorted({each.decode() for each in known if each is not None} - found)
            found.update(frontier)
            texts = await self._link.many([self.known(project, each) for each in frontier])
            joins = {sought for text in texts for join in _split(text) for sought in _sought(join)} - asked
            asked |= joins
            answers = await self._link.many(self._bearing(project, joins))
        return sorted(found)


def _value(owner: str) -> bytes:
    return _SHORT + bytes.fromhex(owner[1:]) if _OURS.fullmatch(owner) else owner.encode()


@remembered(_CACHED, longest=_LONGEST)
def _field(text: str) -> bytes:
    return bytes.fromhex(digest(text, size=_BYTES))


@remembered(_CACHED, longest=_LONGEST)
def _join_field(join: str) -> bytes:
    role, _, name = join.rpartition(":")
    field = _field(name)
    return field[:-1] + bytes([field[-1] & ~3 | _ROLES.get(role + ":", 0)])


def _sought(field: bytes) -> tuple[bytes, ...]:
    """Does for fields what `spans.counterparts` does for keys."""
    made, used = (field[:-1] + bytes([field[-1] & ~3 | _ROLES[role]]) for role in (MADE, USED))
    return (used,) if field == made else (made, used) if field == used else (field,)


def _split(answer: bytes | None) -> list[bytes]:
    return [answer[at : at + _BYTES] for at in range(0, len(answer), _BYTES)] if answer else []
