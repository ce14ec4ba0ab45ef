"""Deletes runs with all that tells of them: records, trajectory, verdicts, reviews, messages, indexes, events, words.

Order: records first, then what was made of them. Whoever writes about a run looks afterwards whether it is still there
(`Eraser.leftovers`), so of a deletion and a worker that meet one sees the other, and nothing comes back; and whoever
deletes looks afterwards whether a run was saved anew meanwhile, and has it woven again, whole.

What stays: counters, which name nobody; the audit log, which says who read and who deleted; suppression rules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import get_args

import msgspec

from agentdog.spans import ids, trajectory_id, units_of
from agentdog.store import ages, keys, scripts
from agentdog.store.contract import Erased
from agentdog.store.index import Joins, Owners
from agentdog.store.link import Command, Link
from agentdog.store.listing import Listing
from agentdog.store.outbox import Outbox
from agentdog.store.texts import said
from agentdog.store.words import Words, words_of
from agentdog.trajectory import Trajectory

_LANES: tuple[keys.Lane, ...] = get_args(keys.Lane)
#: What is kept of a run in keys of its own.
_BESIDE = (
    keys.versions,
    keys.reviews,
    keys.analyses,
    keys.attributions,
    keys.deliveries,
    keys.told,
    keys.verdicts_of,
)
_SCAN_COUNT = 1000
_HOPS = 8


class Eraser:
    """Deletes.

    Args:
        link: the server.
        listing: of trajectories.
        read: reads a trajectory by its id; ``None`` when it cannot be read (any more).
        drop: forgets what this process remembers of a unit.
    """

    def __init__(
        self,
        link: Link,
        listing: Listing,
        read: Callable[[str, str], Awaitable[Trajectory | None]],
        drop: Callable[[str, str], None],
    ) -> None:
        self._drop = drop
        self._link = link
        self._listing = listing
        self._read = read
        self._owners = Owners(link)
        self._joins = Joins(link)
        self._words = Words(link)

    async def _reach(self, project: str, units: Collection[str]) -> tuple[set[str], dict[str, Trajectory | None]]:
        """Returns the units that belong to the same runs as these, and the runs."""
        found, asked = set(units), set[str]()
        runs: dict[str, Trajectory | None] = {}
        while left := sorted(found - asked):
            asked.update(left)
            for unit in left:
                founded = trajectory_id(project, unit)
                for each in await self._line(project, founded):
                    if each not in runs:
                        told = runs[each] = await self._read(project, each)
                        found.update(units_of(told) if told is not None else ())
        return found, runs

    async def _line(self, project: str, run: str) -> Sequence[str]:
        """Returns a run's id and those of the runs that took it in, one after the other."""
        line = [run]
        owner = (await self._owners.find([project], run)).get(project)
        if owner is not None and owner != run:
            line.append(owner)
        for _ in range(_HOPS):
            moved = await self._link.one("HGET", keys.trajectory(project, line[-1]), "moved")
            if moved is None or moved.decode() in line:
                break
            line.append(moved.decode())
        return line

    async def erase(self, project: str, units: Collection[str], *, dry_run: bool = False) -> Erased:
        """Deletes the runs of these units with all their units; with `dry_run` only says what that would be."""
        all_units, runs = await self._reach(project, units)
        sizes = await self._link.many([("HLEN", keys.records(project, unit)) for unit in sorted(all_units)])
        shown = tuple(sorted(run for run, told in runs.items() if told is not None))
        told = Erased(runs=shown, units=sum(1 for size in sizes if size), records=sum(sizes))
        if dry_run:
            return told
        for unit in sorted(all_units):
            await self._erase_unit(project, unit)
        await self._erase_runs(project, runs)
        await self._erase_letters(project, {*all_units, *runs})
        await self._erase_refusals(project, all_units)
        return told

    async def erase_if_older(self, project: str, unit: str, before_ms: int) -> Erased | None:
        """Deletes a unit's run if all of it is older; else makes the unit as young as its run."""
        units, _ = await self._reach(project, [unit])
        newest = await ages.newest_of(self._link, project, sorted(units))
        if newest < before_ms:
            return await self.erase(project, units)
        await ages.postpone(self._link, project, unit, newest)
        return None

    async def _erase_unit(self, project: str, unit: str) -> None:
        number = keys.partition(project, unit)
        names = [keys.records(project, unit), keys.joins(project, unit), keys.count(number, project)]
        names += [keys.dirty(number), keys.ages(number)]
        self._drop(project, unit)
        await self._joins.forget(project, unit)
        await self._link.run(scripts.ERASE_UNIT, names, f"{project}\n{unit}")

    async def _erase_runs(self, project: str, runs: Mapping[str, Trajectory | None]) -> None:
        """Deletes what was made of records: trajectories and all that hangs on them."""
        words = await self._all_words(project, runs)
        await Outbox(self._link).forget(project, runs)
        for run, told in runs.items():
            name = keys.trajectory(project, run)
            verdicts = await self._link.one("SMEMBERS", keys.verdicts_of(project, run))
            number = keys.partition(project, run)
            gone: list[Command] = [("DEL", name), *(("DEL", of(project, run)) for of in _BESIDE)]
            gone += [("SREM", keys.dirty(number, lane), f"{project}\n{run}") for lane in ("judge", "explain")]
            await self._link.many(gone)
            await self._erase_verdicts(project, verdicts)
            await self._words.remove(project, run, words)
            await self._listing.put(project, run, None)
            await self._owners.forget(project, run, ids(told) if told is not None else [run])
            await self._link.one("ZREM", keys.reviewed(project), run)
        await self._erase_events(project, runs)
        await self._mend(project, runs)

    async def _mend(self, project: str, runs: Iterable[str]) -> None:
        """Has runs woven anew that were saved again while they were deleted: part of what leads to them went too."""
        names = list(runs)
        there = await self._link.many([("HEXISTS", keys.trajectory(project, run), "blob") for run in names])
        for run in (run for run, found in zip(names, there, strict=True) if found):
            told = await self._read(project, run)
            await self._tell(project, units_of(told) if told is not None else ())

    async def _tell(self, project: str, units: Iterable[str]) -> None:
        """Queues units to be woven."""
        for unit in units:
            number = keys.partition(project, unit)
            await self._link.run(scripts.ENQUEUE, [keys.dirty(number), keys.work(number)], project, unit)

    async def _all_words(self, project: str, runs: Mapping[str, Trajectory | None]) -> list[str]:
        """Returns the words by which any of these runs may be found; one that was taken in does not know its own."""
        noted = await self._link.many([("HGET", keys.trajectory(project, run), "words") for run in runs])
        words = {word for each in noted if each for word in each.decode().split()}
        for told in runs.values():
            words.update(word for passage in (said(told) if told else ()) for word in words_of(passage.text))
        return sorted(words)

    async def _erase_verdicts(self, project: str, members: Iterable[bytes]) -> None:
        commands: list[Command] = []
        for member in members:
            guard, _, prefix = member.decode().partition("\n")
            commands += [("DEL", keys.verdict(project, guard, prefix)), ("DEL", keys.lease(project, guard, prefix))]
        await self._link.many(commands)

    async def _erase_events(self, project: str, runs: Collection[str]) -> None:
        at = "-"
        while entries := await self._link.one("XRANGE", keys.FEED, at, "+", "COUNT", _SCAN_COUNT):
            events = [(entry, msgspec.json.decode(fields[1])) for entry, fields in entries]
            gone = [e for e, event in events if event["project"] == project and event["trajectory_id"] in runs]
            if gone:
                await self._link.one("XDEL", keys.FEED, *gone)
            at = f"({entries[-1][0].decode()}"

    async def _erase_letters(self, project: str, units: Collection[str]) -> None:
        """Deletes dead letters and reminders; what still waits is found to be nothing by who takes it."""
        for lane in _LANES:
            numbers = sorted({keys.partition(project, unit) for unit in units})
            answers = await self._link.many([("XRANGE", keys.dead(n, lane), "-", "+") for n in numbers])
            commands: list[Command] = []
            for number, entries in zip(numbers, answers, strict=True):
                for entry, flat in entries:
                    values = dict(zip(flat[::2], flat[1::2], strict=True))
                    if values[b"project"].decode() == project and values[b"unit"].decode() in units:
                        commands.append(("XDEL", keys.dead(number, lane), entry))
            commands += [("ZREM", keys.due(lane), msgspec.json.encode((project, unit))) for unit in units]
            await self._link.many(commands)

    async def _erase_refusals(self, project: str, units: Collection[str]) -> None:
        prefixes = tuple(f"{u.partition(':')[2]}:" if u.startswith("trace:") else f"log:{u[8:]}:" for u in units)
        entries = await self._link.one("XRANGE", keys.refused(project), "-", "+")
        gone = [entry for entry, fields in entries if fields[1].decode().startswith(prefixes)]
        if gone:
            await self._link.one("XDEL", keys.refused(project), *gone)

    async def leftovers(self, project: str, run: str, units: Iterable[str] = ()) -> bool:
        """Takes back what was just written about a run that was deleted meanwhile; True when it was.

        Args:
            project: of the run.
            run: its id.
            units: whose records it was woven from; one of them missing means that the run was deleted.
        """
        wanted = list(units)
        name = keys.trajectory(project, run)
        checks: list[Command] = [("HEXISTS", name, field) for field in ("blob", "moved")]
        checks += [("EXISTS", keys.records(project, unit)) for unit in wanted]
        blob, moved, *there = await self._link.many(checks)
        if (blob or moved) and all(there):
            return False
        await self._erase_runs(project, {run: None})
        waiting = [unit for unit, found in zip(wanted, there, strict=True) if found]
        await self._tell(project, waiting)  # came after the deletion: told anew, without what is gone
        return True

    async def sweep(self, project: str) -> int:
        """Deletes ids that lead to runs that are no more, such as those of steps that an earlier version had."""
        listed = {name.decode() for name in await self._link.one("HKEYS", keys.rows(project))}
        return await self._owners.sweep(project, listed)
