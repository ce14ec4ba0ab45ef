"""All that lies in a store, as texts: every key, every value, whatever it is compressed or told apart by."""

from __future__ import annotations

from typing import Any

import zstandard

from agentdog.spans.records import Record
from agentdog.store.contract import Query
from agentdog.store.link import Link
from tests.support.stores import store_at

_READ = {
    b"string": ("GET",),
    b"hash": ("HGETALL",),
    b"set": ("SMEMBERS",),
    b"list": ("LRANGE", 0, -1),
    b"zset": ("ZRANGE", 0, -1),
    b"stream": ("XRANGE", "-", "+"),
}


async def everything(url: str) -> list[str]:
    """Scans the whole server."""
    link, store = Link.to(url, 5.0), store_at(url)
    try:
        texts: list[str] = []
        for name in await names(link):
            kind = await link.one("TYPE", name)
            command, *arguments = _READ[kind]
            texts += [name.decode("utf-8", "replace"), *_flat(await link.one(command, name, *arguments))]
        # Differences are read by who wrote them.
        for project in sorted(await store.projects()):
            for item in (await store.list(Query(project=project, limit=1000))).items:
                texts.append(str(await store.get(item.id, project)))
        records: list[Record] = list(await store.sample(10_000))
        return texts + [str(each) for each in records]
    finally:
        await link.close()
        await store.close()


async def names(link: Link, pattern: str = "*") -> list[bytes]:
    """Returns the names of all keys."""
    found, cursor = [], "0"
    while True:
        answer = await link.one("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
        cursor = answer[0].decode()
        found += answer[1]
        if cursor == "0":
            return sorted(set(found))


def _flat(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for each in value for text in _flat(each)]
    if not isinstance(value, bytes):
        return [str(value)]
    texts = [value.decode("utf-8", "replace")]
    if value[:4] == zstandard.FRAME_HEADER:
        texts.append(zstandard.ZstdDecompressor().decompress(value).decode("utf-8", "replace"))
    return texts
