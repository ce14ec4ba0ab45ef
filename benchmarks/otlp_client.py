"""A client that costs little: OTLP/HTTP over a few open connections, each with one request at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Sent:
    """What became of requests: seconds each took, those acknowledged by number, those refused or cut off."""

    seconds: list[float] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    refused: int = 0

    def percentile_ms(self, share: float) -> float:
        """Returns a percentile of the time to the acknowledgement."""
        ordered = sorted(self.seconds)
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0


async def send(
    port: int, bodies: Sequence[bytes], *, connections: int, retry_s: float = 0.0, rate: float = 0.0
) -> Sent:
    """Posts bodies to ``/v1/traces``.

    Args:
        port: on loopback.
        bodies: protobuf requests.
        connections: open at a time.
        retry_s: pause before a refused request is sent again; 0: it is not.
        rate: requests a second, all connections together; 0: as fast as they are answered.
    """
    sent = Sent()
    waiting = list(enumerate(bodies))[::-1]
    started = time.perf_counter()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while waiting:
            number, body = waiting.pop()
            if rate:
                await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            while True:
                code, seconds = await _post(reader, writer, body)
                if code == 200:
                    sent.acknowledged.append(number)
                    sent.seconds.append(seconds)
                    break
                sent.refused += 1
                if not retry_s:
                    break
                await asyncio.sleep(retry_s)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await one(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            sent.refused += 1
        finally:
            writer.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    return sent


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> tuple[int, float]:
    head = (
        "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    started = time.perf_counter()
    writer.write(head.encode() + body)
    await writer.drain()
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    lengths = [int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")]
    await reader.readexactly(lengths[0] if lengths else 0)
    return int(lines[0].split()[1]), time.perf_counter() - started
