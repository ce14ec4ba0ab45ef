"""Several servers of one model: each prefix of a trajectory goes to the same one, while that one answers.

Invariant: a request is sent again only when no server worked on it (no connection, or turned away at the door); a
request that timed out or broke off may still be running, and asking again would double the load that slowed it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from agentdog.base.ids import digest
from agentdog.guards.breaker import Breaker
from agentdog.guards.chat_api import ChatApi, ChatFailure
from agentdog.guards.options import ServerOptions
from agentdog.guards.packs import Pack, fitting_pack
from agentdog.guards.served import Served, describe
from agentdog.guards.verdict import Reason

T = TypeVar("T")
_PAUSE_S = 0.2  # before the first further try; doubled for each one after it


class Replica:
    """One server: how it is reached, what it was found to serve, whether it is left alone just now."""

    def __init__(self, url: str, options: ServerOptions, pack: Pack, key: str | None) -> None:
        self.api = ChatApi(url, key=key, timeout_s=options.timeout, concurrency=options.concurrency, ca=options.ca)
        self._patient = ChatApi(url, key=key, timeout_s=options.warm_up, concurrency=1, ca=options.ca)
        self.breaker = Breaker(options.failures, options.rest)
        self._options = options
        self._pack = pack
        self._served: Served | None = None
        self._asking: asyncio.Task[Served] | None = None

    async def served(self, *, fresh: bool = False) -> Served:
        """Finds out once what is served; who asks meanwhile shares the answer, or the failure. A failure is not kept.

        Raises `ChatFailure` (timed out) when it takes longer than a request may; finding out goes on for those after.
        """
        if self._served is None or fresh:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._describe())
                # Whoever waits hears of a failure; one that everybody left is not the event loop's business.
                self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
            limit = self._options.warm_up if fresh else self._options.timeout
            try:
                # Shielded: one caller that gives up must not take the answer from the others.
                self._served = await asyncio.wait_for(asyncio.shield(self._asking), limit)
            except TimeoutError as error:
                raise ChatFailure(Reason.TIMED_OUT, f"the server is still warming up after {limit:g} s") from error
        return self._served

    async def _describe(self) -> Served:
        served = await describe(self._patient, self._options.model, self._pack)
        if not self._options.model and not self._options.pack:
            # Nobody said the model and the server was not there to be asked for it when the pack was chosen.
            fitting = fitting_pack(served.model, served.root)
            if fitting not in (None, self._pack.name):
                why = f"{served.model} has a pack of its own, {fitting}; add ?model={served.model} to the guard's URI"
                raise ChatFailure(Reason.GUARD_ERROR, f"{why}, or start again")
        return served

    def forget(self) -> None:
        """Has the next request find out again: another model may be served once the server is back."""
        self._served = None

    async def close(self) -> None:
        """Closes the connections."""
        if self._asking is not None and not self._asking.done():
            self._asking.cancel()
        await self.api.close()
        await self._patient.close()


class Replicas:
    """Chooses, tries, and tries elsewhere."""

    def __init__(self, members: Sequence[Replica], options: ServerOptions) -> None:
        self.members = tuple(members)
        self._retries = options.retries
        self._deadline_s = options.timeout

    def order(self, key: str) -> list[Replica]:
        """Ranks the servers for a trajectory (rendezvous hashing): one that goes moves only its own trajectories."""
        return sorted(self.members, key=lambda member: digest(member.api.base_url, key, size=8))

    async def run(self, key: str, work: Callable[[Replica], Awaitable[T]]) -> T:
        """Does the work at the trajectory's own server, or at the next that takes it; raises `ChatFailure`."""
        until, tries, failure = time.monotonic() + self._deadline_s, 0, None
        while True:
            for member in self.order(key):
                if not member.breaker.admit():
                    continue
                try:
                    return await self._at(member, work)
                except ChatFailure as error:
                    if not error.again:
                        raise
                    failure = error
            pause = _PAUSE_S * 2**tries
            tries += 1
            if failure is None or tries > self._retries or time.monotonic() + pause > until:
                raise failure or self._all_rest()
            await asyncio.sleep(pause)

    async def _at(self, member: Replica, work: Callable[[Replica], Awaitable[T]]) -> T:
        try:
            done = await work(member)
        except ChatFailure as failure:
            if failure.servers:
                member.breaker.failed()
                member.forget()
            else:
                member.breaker.succeeded()
            raise
        except BaseException:
            member.breaker.abandoned()
            raise
        member.breaker.succeeded()
        return done

    def _all_rest(self) -> ChatFailure:
        soonest = min(member.breaker.rests_s for member in self.members)
        why = f"{', '.join(m.api.base_url for m in self.members)} failed repeatedly; next try in {soonest:.0f} s"
        return ChatFailure(Reason.GUARD_UNREACHABLE, why)

    async def close(self) -> None:
        """Closes every connection."""
        for member in self.members:
            await member.close()
