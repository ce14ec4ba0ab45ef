"""One door to the server, or to a cluster: shared connections, scripts by digest, one error for not being answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from typing import Any

from agentdog.base.errors import StoreUnavailable
from agentdog.store import address
from agentdog.store.address import Address, shown
from agentdog.store.scripts import Script
from agentdog.store.topology import Topology
from agentdog.store.wire import Command, ReplyError, Wire

__all__ = ["Command", "Link", "ReplyError", "shown", "store_errors"]

#: Codes of a server that will not do it just now.
_AWAY = (
    "LOADING",
    "BUSY ",
    "OOM",
    "READONLY",
    "MISCONF",
    "NOREPLICAS",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "UNBLOCKED",
)
_ROUNDS = 5  # of redirections before a cluster counts as being rebuilt
_WIRES = 4  # connections to one server: a long answer on one holds up those behind it
_CROWDED = 16
_SCAN_COUNT = 1000


class store_errors:  # noqa: N801 - used like a function; one made of a generator costs more than what it guards
    """Turns a server that is away, loading, full or read-only into `StoreUnavailable`; bugs stay what they are."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise StoreUnavailable(f"the store does not answer: {str(error) or 'no connection in time'}") from error
        if isinstance(error, ReplyError) and str(error).startswith(_AWAY):
            raise StoreUnavailable(f"the store refuses: {error}") from error


class _Server:
    """A server with a few connections."""

    def __init__(self, where: Address, timeout_s: float) -> None:
        self._where = where
        self._timeout_s = timeout_s
        self._wires: list[Wire] = []
        self._opening = asyncio.Lock()

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        return await (await self._wire()).exchange(commands)

    async def _wire(self) -> Wire:
        best = self._least_busy()
        if best is not None and (best.waiting < _CROWDED or self._opening.locked()):
            return best
        async with self._opening:
            best = self._least_busy()
            if best is None or (best.waiting >= _CROWDED and len(self._wires) < _WIRES):
                best = await Wire.open(self._where, self._timeout_s)
                self._wires.append(best)
            return best

    def _least_busy(self) -> Wire | None:
        if any(not wire.is_open for wire in self._wires):
            self._wires = [wire for wire in self._wires if wire.is_open]
        return min(self._wires, key=lambda wire: wire.waiting, default=None)

    def close(self) -> None:
        for wire in self._wires:
            wire.close()
        self._wires.clear()


class Link:
    """Sends commands, one or many at a time. Invariant: a script that a server forgot is sent again, once.

    Whether there is a cluster is asked when the first command is sent, and again when a server says that a key has
    moved, or does not answer.
    """

    def __init__(self, seeds: Sequence[Address], timeout_s: float) -> None:
        self._seeds = tuple(seeds)
        self._timeout_s = timeout_s
        self._servers: dict[Address, _Server] = {}
        self._topology: Topology | None = None
        self._asking: asyncio.Task[Topology] | None = None

    @staticmethod
    def to(url: str, timeout_s: float) -> Link:
        """Opens the door lazily: nothing is sent before the first command.

        Raises:
            UsageError: the address cannot be read.
        """
        return Link(address.read(url), timeout_s)

    async def close(self) -> None:
        """Closes all connections."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        await asyncio.sleep(0)  # lets the transports go

    async def one(self, *command: str | int | bytes | float) -> Any:  # noqa: ANN401 - Redis answers anything
        """Sends one command and returns its answer."""
        return (await self.many([command]))[0]

    async def run(self, script: Script, keys: Sequence[str], *args: str | int | bytes | float) -> Any:  # noqa: ANN401
        """Runs one script; all keys lie in one partition."""
        return (await self.many([script.call(keys, *args)]))[0]

    async def many(self, commands: Sequence[Command]) -> list[Any]:
        """Sends commands in one round trip, in order per server; returns their answers, or raises the first error."""
        if not commands:
            return []
        with store_errors():
            answers = await self._send(commands)
            forgotten = [i for i, answer in enumerate(answers) if _says(answer, "NOSCRIPT")]
            if forgotten:
                again = await self._taught([commands[i] for i in forgotten], forgotten=forgotten, within=commands)
                for i, answer in zip(forgotten, again, strict=True):
                    answers[i] = answer
            return _whole(answers)

    async def stages(self, *stages: Sequence[Command]) -> list[list[Any]]:
        """Sends what has to happen one stage after the other, in as few round trips as that takes.

        One server does things in order, so all leaves at once; the keys of a cluster lie on several, so there each
        stage waits for the one before. Where a server forgot a script, that stage and all after it are sent once more:
        every command has to bear that. Returns the answers by stage, or raises the first error.
        """
        if await self.is_cluster():
            return [await self.many(stage) for stage in stages]
        commands = [command for stage in stages for command in stage]
        begins = [sum(map(len, stages[:at])) for at in range(len(stages) + 1)]
        if not commands:
            return [[] for _ in stages]
        with store_errors():
            answers = await self._send(commands)
            forgotten = [i for i, answer in enumerate(answers) if _says(answer, "NOSCRIPT")]
            if forgotten:
                again = max(begin for begin in begins if begin <= forgotten[0])
                answers[again:] = await self._taught(commands[again:], forgotten=forgotten, within=commands)
            _whole(answers)
        return [answers[begin:end] for begin, end in pairwise(begins)]

    async def _taught(
        self, commands: Sequence[Command], *, forgotten: Sequence[int], within: Sequence[Command]
    ) -> list[Any]:
        """Sends commands again once the servers know the scripts that they forgot."""
        for sha in {str(within[i][1]) for i in forgotten}:
            await self.everywhere("SCRIPT", "LOAD", Script.source_of(sha))
        return await self._send(commands)

    async def everywhere(self, *command: str | int | bytes | float) -> list[Any]:
        """Sends one command to every primary and returns their answers."""
        with store_errors():
            topology = await self._known()
            answers = []
            for primary in topology.primaries:
                (answer,) = await self._exchange(primary, [command])
                if isinstance(answer, ReplyError):
                    raise answer
                answers.append(answer)
            return answers

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """Yields the names of all keys that match, some at a time, from every primary."""
        with store_errors():
            primaries = (await self._known()).primaries
        for primary in primaries:
            cursor = b"0"
            while True:
                with store_errors():
                    (answer,) = await self._exchange(
                        primary, [("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT)]
                    )
                    if isinstance(answer, ReplyError):
                        raise answer
                cursor, found = answer
                if found:
                    yield found
                if cursor == b"0":
                    break

    async def listen(self, channel: str, hear: Callable[[Any], None]) -> Wire:
        """Subscribes to a channel on a connection of its own, which the caller watches and closes."""
        with store_errors():
            topology = await self._known()
            wire = await Wire.open(topology.primaries[0], self._timeout_s, hear)
            try:
                (answer,) = await wire.exchange([("SUBSCRIBE", channel)])
                if isinstance(answer, ReplyError):
                    raise answer
            except BaseException:
                wire.close()
                raise
            return wire

    async def is_cluster(self) -> bool:
        """Whether keys lie on several servers, so that no command may name those of several slots."""
        with store_errors():
            return (await self._known()).clustered

    @property
    def clustered(self) -> bool:
        """Whether the last look showed a cluster."""
        return self._topology is not None and self._topology.clustered

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        topology = await self._known()
        if not topology.clustered:
            return await self._exchange(topology.primaries[0], commands)
        return await self._spread(commands)

    async def _spread(self, commands: Sequence[Command]) -> list[Any]:
        """Sends each command to the primary of its key, and follows those that moved."""
        answers: list[Any] = [None] * len(commands)
        left = list(range(len(commands)))
        for _ in range(_ROUNDS):
            topology = await self._known()
            groups: dict[Address, list[int]] = {}
            for i in left:
                place = topology.place(commands[i])
                if place is None:
                    self._topology = None
                    raise ConnectionError("nobody in the cluster serves this key's slot")
                groups.setdefault(place, []).append(i)
            replies = await asyncio.gather(
                *(self._exchange(place, [commands[i] for i in group]) for place, group in groups.items())
            )
            for group, part in zip(groups.values(), replies, strict=True):
                for i, reply in zip(group, part, strict=True):
                    answers[i] = reply
            for i in [i for i in left if _says(answers[i], "ASK ")]:
                answers[i] = await self._asked(topology, str(answers[i]), commands[i])
            left = [i for i in left if _says(answers[i], "MOVED ")]
            if not left:
                break
            self._topology = None  # the next look asks anew
        if any(_says(answer, "READONLY") or _says(answer, "CLUSTERDOWN") for answer in answers):
            self._topology = None
        if left:
            raise ConnectionError("the cluster is being rebuilt")
        return answers

    async def _asked(self, topology: Topology, said: str, command: Command) -> Any:  # noqa: ANN401
        """Follows a slot that is on its way (``ASK slot host:port``)."""
        host, _, port = said.split()[2].rpartition(":")
        place = topology.primaries[0].at(host, int(port))
        return (await self._exchange(place, [("ASKING",), command]))[1]

    async def _exchange(self, where: Address, commands: Sequence[Command]) -> list[Any]:
        server = self._servers.get(where)
        if server is None:
            server = self._servers[where] = _Server(where, self._timeout_s)
        try:
            return await server.exchange(commands)
        except OSError:
            if self._topology is not None and self._topology.clustered:
                self._topology = None  # who is primary may have changed
            raise

    async def _known(self) -> Topology:
        if self._topology is None:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
            self._topology = await asyncio.shield(self._asking)
        return self._topology

    async def _ask(self) -> Topology:
        """Asks the servers that we know, one after the other, who holds what."""
        known = [server for server in self._servers if server not in self._seeds]
        trouble: OSError = ConnectionError("no address")
        for seed in (*self._seeds, *known):
            try:
                (answer,) = await self._exchange(seed, [("CLUSTER", "SLOTS")])
            except OSError as error:
                trouble = error
                continue
            if isinstance(answer, ReplyError):
                if str(answer).startswith(_AWAY):
                    raise answer
                return Topology(seed)  # no cluster, or one that may not be asked
            if answer:
                return Topology.read(seed, answer)
            trouble = ConnectionError(f"{seed.host}:{seed.port} belongs to a cluster that has no slots yet")
        raise trouble


def _whole(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, ReplyError):
            raise answer
    return answers


def _says(answer: Any, code: str) -> bool:  # noqa: ANN401
    return isinstance(answer, ReplyError) and str(answer).startswith(code)
