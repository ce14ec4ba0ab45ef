"""How many: runs by facet and span of time, names of agents and tools that occur. Index sizes only, no run is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agentdog.store import keys
from agentdog.store.link import Command, Link

#: Kinds of facets whose values are listed by name.
NAMED = ("agent", "tool")


class Tally:
    """Counts from the list's sorted sets."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def noting(self, project: str, facets: Iterable[str]) -> list[Command]:
        """Returns what remembers that these facets occur; one that vanishes is told by its empty index."""
        named = [each for each in facets if each.partition("=")[0] in NAMED]
        return [("SADD", keys.names(project), *named)] if named else []

    async def forget(self, project: str, facets: Iterable[str]) -> None:
        """Forgets names that occur no more."""
        named = [each for each in facets if each.partition("=")[0] in NAMED]
        sizes = await self._link.many([("ZCARD", keys.index(project, each)) for each in named])
        unused = [each for each, size in zip(named, sizes, strict=True) if not size]
        if unused:
            await self._link.one("SREM", keys.names(project), *unused)

    async def names(self, projects: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Returns, for agents and tools, how many runs have each name, the most frequent first."""
        found: dict[str, dict[str, int]] = {kind: {} for kind in NAMED}
        for project in projects:
            facets = [each.decode() for each in await self._link.one("SMEMBERS", keys.names(project))]
            sizes = await self._link.many([("ZCARD", keys.index(project, each)) for each in facets])
            for each, size in zip(facets, sizes, strict=True):
                kind, _, name = each.partition("=")
                if size:
                    found[kind][name] = found[kind].get(name, 0) + int(size)
        return {kind: dict(sorted(names.items(), key=lambda n: (-n[1], n[0]))) for kind, names in found.items()}

    async def count(
        self, projects: Sequence[str], facets: Sequence[str], spans: Sequence[tuple[int | str, int | str]]
    ) -> Mapping[str, Sequence[int]]:
        """Counts runs per facet in each span of time: low to high in µs, both included; ``-inf`` and ``+inf`` too."""
        asked = [(facet, low, high) for facet in facets for low, high in spans]
        totals = [0] * len(asked)
        for project in projects:
            commands: list[Command] = [("ZCOUNT", keys.index(project, facet), low, high) for facet, low, high in asked]
            for at, number in enumerate(await self._link.many(commands)):
                totals[at] += int(number)
        width = len(spans)
        return {facet: totals[at * width : (at + 1) * width] for at, facet in enumerate(facets)}
