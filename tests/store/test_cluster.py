"""The store on a Redis Cluster of three: the same answers, keys in their slots, slots that move."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from agentdog.base.errors import StoreUnavailable, UsageError
from agentdog.service.worker import Worker
from agentdog.store import address, keys
from agentdog.store.link import Link
from agentdog.store.redis_store import RedisStore
from agentdog.store.topology import key_of, slot_of
from tests.service.test_worker import CALL, agree, chat, tuned
from tests.support.records import batch, span
from tests.support.redis_servers import cluster
from tests.support.stores import play
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with cluster() as address_of:
        yield address_of


@pytest.fixture
def with_cluster(url: str) -> Any:
    return partial(play, url)


def test_a_keys_slot_is_that_of_its_first_braces() -> None:
    assert slot_of("123456789") == 12739  # Redis Cluster specification, appendix A: 0x31C3
    assert slot_of(keys.records("a{b}c", "trace:1")) == slot_of("{" + keys.records("a{b}c", "trace:1")[4:7] + "}")
    assert slot_of("{}x") == slot_of(b"{}x") != slot_of("{x}")


def test_the_key_of_a_command_is_found() -> None:
    assert key_of(("EVALSHA", "abc", 2, "k1", "k2", "a")) == "k1"
    assert key_of(("XGROUP", "CREATE", "k", "g", "0")) == "k"
    assert key_of(("INFO",)) is None
    assert key_of(("HGET", b"k", "f")) == b"k"


def test_addresses_of_servers_and_clusters_are_read() -> None:
    (one,) = address.read("rediss://me:p%40ss@host:7000/3")
    assert (one.host, one.port, one.username, one.password, one.db, one.tls) == ("host", 7000, "me", "p@ss", 3, True)
    assert [(a.host, a.port) for a in address.read("redis://a:1,b:2")] == [("a", 1), ("b", 2)]
    assert address.read("unix:///run/x.sock")[0].path == "/run/x.sock"
    for wrong in ("http://host", "redis://host:port", "redis://host/x", "unix://", "host"):
        with pytest.raises(UsageError, match="AGENTDOG_REDIS__URL"):
            address.read(wrong)


@pytest.mark.slow
def test_what_is_appended_is_woven_found_and_counted(with_cluster: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for name in ("one", "two"):
                group.create_task(Worker(store, agree, tuned(), name=name).run(stop))
            await asyncio.gather(*(store.append("p", batch(chat(trace, 0, CALL))) for trace in range(30)))
            async with asyncio.timeout(PATIENCE_S):
                while await store.depth() or sum((await store.projects())["p"].values()) < 30:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            stop.set()
        for trace in range(30):
            assert await store.get(f"{trace + 1:032x}", "p") is not None
        assert (await store.accounting())["p"]["stored"] == (await store.audit())["p"]["records"] == 30
        assert (await store.ping())["server"] == "valkey"
        assert await store.dead_letters() == ()

    with_cluster(scenario)


@pytest.mark.slow
def test_a_slot_that_moves_is_followed_and_one_that_nobody_serves_is_store_unavailable(url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(span(0, 0)))
        name = keys.records("p", span(0, 0).unit)
        link = Link.to(url, 5.0)
        slots = await link.one("CLUSTER", "SLOTS")
        by_start = {int(s[0]): (int(s[1]), s[2][1], s[2][2].decode()) for s in slots}
        slot = slot_of(name)
        owner = next(port for first, (last, port, _) in by_start.items() if first <= slot <= last)
        target, identity = next((port, i) for _, port, i in by_start.values() if port != owner)
        others = {port: Link.to(f"redis://127.0.0.1:{port}", 5.0) for _, port, _ in by_start.values()}
        source = next(i for _, port, i in by_start.values() if port == owner)
        await _asked(others[target], "CLUSTER", "SETSLOT", slot, "IMPORTING", source)
        await _asked(others[owner], "CLUSTER", "SETSLOT", slot, "MIGRATING", identity)
        held = await _asked(others[owner], "CLUSTER", "GETKEYSINSLOT", slot, 100)
        await _asked(others[owner], "MIGRATE", "127.0.0.1", target, "", 0, 5000, "KEYS", *held)
        assert await link.one("HLEN", name) == 1  # half way: the old owner says ASK
        for each in others.values():
            await _asked(each, "CLUSTER", "SETSLOT", slot, "NODE", identity)
        assert (await store.append("p", batch(span(0, 0)))).duplicate == 1
        await _asked(others[target], "CLUSTER", "DELSLOTS", slot)
        with pytest.raises(StoreUnavailable):
            await store.append("p", batch(span(0, 1)))
        await _asked(others[target], "CLUSTER", "ADDSLOTS", slot)
        for each in (link, *others.values()):
            await each.close()

    play(url, scenario)


async def _asked(link: Link, *command: Any) -> Any:
    """Asks one node, whatever the cluster says of slots."""
    seed = link._seeds[0]
    (answer,) = await link._exchange(seed, [command])
    assert not isinstance(answer, Exception), answer
    return answer
