"""One shared connection: replies find their callers, and a server that falls silent is nobody's to wait for."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from agentdog.base.errors import StoreUnavailable
from agentdog.store.link import Link


def test_callers_who_do_not_know_of_each_other_get_their_own_replies(server_url: str) -> None:
    async def run() -> None:
        link = Link.to(server_url, 5.0)
        texts = [f"text {number}" * (number % 7) for number in range(200)]
        assert await asyncio.gather(*(link.one("ECHO", text) for text in texts)) == [t.encode() for t in texts]
        gone = asyncio.create_task(link.one("ECHO", "nobody waits for this"))
        await asyncio.sleep(0)
        gone.cancel()
        assert await link.many([("ECHO", "a"), ("ECHO", "b")]) == [b"a", b"b"]
        await link.close()

    asyncio.run(run())


def test_a_server_that_falls_silent_or_leaves_is_the_store_that_does_not_answer() -> None:
    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            while chunk := await reader.read(1000):
                if b"bye" in chunk:
                    break
                if b"CLUSTER" in chunk:
                    writer.write(b"-ERR This instance has cluster support disabled\r\n")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(hear, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = Link.to(f"redis://127.0.0.1:{port}", 2.0)
        with pytest.raises(StoreUnavailable, match="no answer for 2 s"):
            await link.one("ECHO", "hello")
        with pytest.raises(StoreUnavailable, match="lost"):
            await link.one("ECHO", "bye")
        await link.close()
        await asyncio.sleep(0.05)  # the other side takes note
        server.close()

    asyncio.run(run())
