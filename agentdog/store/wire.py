"""One connection to a Redis server: commands out, replies in, in order, however many wait at a time.

What is sent in one turn of the event loop leaves in one write, so that callers who do not know of each other share
round trips and the server's sync of its log. Replies are parsed by hiredis. Invariant: every caller gets the replies to
his commands, or an `OSError`; a server that falls silent ends the connection for all who wait on it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis

from agentdog.store.address import Address

Command = tuple[str | int | bytes | float, ...]
_MORE = object()  # what the parser says when a reply is not whole yet


class ReplyError(Exception):
    """An error that the server answered; its text begins with Redis' code (``NOSCRIPT``, ``OOM``, ``MOVED`` …)."""


class _Exchange:
    """Commands that wait for their replies."""

    __slots__ = ("count", "replies", "sent_at", "waiter")

    def __init__(self, count: int, waiter: asyncio.Future[list[Any]], sent_at: float) -> None:
        self.count = count
        self.replies: list[Any] = []
        self.waiter = waiter
        self.sent_at = sent_at


class Wire(asyncio.Protocol):
    """An open connection; make it with `open`.

    Args:
        timeout_s: longest silence while replies are due.
        on_push: gets messages that nobody asked for: those of subscriptions.
    """

    def __init__(self, timeout_s: float, on_push: Callable[[Any], None] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._on_push = on_push
        self._reader = hiredis.Reader(replyError=ReplyError, notEnoughData=_MORE)
        self._pending: deque[_Exchange] = deque()
        self._out: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._transport: asyncio.Transport | None = None
        self._lost: OSError | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def open(cls, address: Address, timeout_s: float, on_push: Callable[[Any], None] | None = None) -> Wire:
        """Connects and says who we are.

        Raises:
            OSError: nobody answers there.
            ReplyError: the server does not want us.
        """
        loop = asyncio.get_running_loop()

        def make() -> Wire:
            return cls(timeout_s, on_push)

        async with asyncio.timeout(timeout_s):
            if address.path is not None:
                _, wire = await loop.create_unix_connection(make, address.path)
            else:
                _, wire = await loop.create_connection(make, address.host, address.port, ssl=address.context())
            try:
                greeting = address.greeting()
                for reply in await wire.exchange(greeting) if greeting else ():
                    if isinstance(reply, ReplyError):
                        raise reply
            except BaseException:
                wire.close()
                raise
        return wire

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._lost is None

    @property
    def waiting(self) -> int:
        """How many callers wait for replies."""
        return len(self._pending)

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Sends commands and returns their replies in order, errors among them.

        Raises:
            OSError: the connection ended, or a reply took too long.
        """
        if not self._writable.is_set():
            await self._writable.wait()
        if self._lost is not None:
            raise self._lost
        waiter: asyncio.Future[list[Any]] = self._loop.create_future()
        now = self._loop.time()
        self._pending.append(_Exchange(len(commands), waiter, now))
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout_s, self._look)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.extend(hiredis.pack_command(command) for command in commands)  # type: ignore[arg-type] # of any length
        return await waiter

    def close(self) -> None:
        """Ends the connection; who still waits gets an error."""
        self._end(ConnectionError("the connection was closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not say so

    def pause_writing(self) -> None:
        """Called by the event loop: the server reads more slowly than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop: hands replies to who waits for them."""
        self._heard_at = self._loop.time()
        try:
            self._reader.feed(data)
            while self._pending and self._complete(self._pending[0]):
                self._pending.popleft()
            if not self._pending:
                self._pushed()
        except hiredis.ProtocolError as error:
            self._end(ConnectionError(f"not a Redis server: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._end(ConnectionError(f"the connection was lost: {error or 'closed by the server'}"))

    def _complete(self, exchange: _Exchange) -> bool:
        replies, gets = exchange.replies, self._reader.gets
        while len(replies) < exchange.count:
            reply = gets()
            if reply is _MORE:
                return False
            replies.append(reply)
        if not exchange.waiter.done():  # the caller may have left
            exchange.waiter.set_result(replies)
        return True

    def _pushed(self) -> None:
        while (message := self._reader.gets()) is not _MORE:
            if self._on_push is not None:
                self._on_push(message)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and self._lost is None:
            self._transport.write(b"".join(out))

    def _look(self) -> None:
        """Ends the connection when the server owes an answer and has said nothing for too long."""
        self._watch = None
        if not self._pending:
            return
        since = max(self._pending[0].sent_at, self._heard_at)  # a long answer that is still coming is not late
        left = since + self._timeout_s - self._loop.time()
        if left <= 0:
            self._end(TimeoutError(f"no answer for {self._timeout_s:g} s"))
        else:
            self._watch = self._loop.call_later(left, self._look)

    def _end(self, error: OSError) -> None:
        if self._lost is not None:
            return
        self._lost = error
        self._writable.set()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.abort()  # who closes has nothing more to say, and a server that hangs would not hear it
        for exchange in self._pending:
            if not exchange.waiter.done():
                exchange.waiter.set_exception(error)
        self._pending.clear()
