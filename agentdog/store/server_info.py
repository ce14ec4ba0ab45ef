"""What the server says of itself: version, persistence, memory; for readiness and ``doctor``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from agentdog.store.link import Link, ReplyError

_CONFIG = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
UNKNOWN = "unknown"
_REWRITE_S = 300.0


async def ping(link: Link) -> Mapping[str, str | int | bool]:
    """Asks for server, version, memory and the settings that decide whether acknowledged writes can be lost.

    Of a cluster the fullest primary speaks. A managed Redis may forbid ``CONFIG``; such values read ``unknown``.
    """
    infos = [_info(raw) for raw in await link.everywhere("INFO")]
    info = max(infos, key=lambda each: int(each.get("used_memory", 0)))
    result: dict[str, str | int | bool] = {
        "server": "valkey" if "valkey_version" in info else "redis",
        "version": info.get("valkey_version") or info.get("redis_version", UNKNOWN),
        "used_memory": int(info.get("used_memory", 0)),
        "machine_memory": int(info.get("total_system_memory", 0)),
        "aof_enabled": all(each.get("aof_enabled") == "1" for each in infos),
        "aof_last_write_ok": all(each.get("aof_last_write_status") in (None, "ok") for each in infos),
        "role": info.get("role", UNKNOWN),
    }
    for name in _CONFIG:
        try:
            answer = await link.one("CONFIG", "GET", name)
        except ReplyError:
            answer = None
        result[name.replace("-", "_")] = answer[1].decode() if answer else UNKNOWN
    return result


async def rewrite_log(link: Link) -> bool:
    """Has the append-only file written anew; returns when it is done, or that there is none to be written."""
    try:
        await link.everywhere("BGREWRITEAOF")
    except ReplyError as error:
        if "in progress" not in str(error):
            return False
    deadline = time.monotonic() + _REWRITE_S
    while time.monotonic() < deadline:
        infos = [_info(raw) for raw in await link.everywhere("INFO", "persistence")]
        if all(i.get("aof_rewrite_in_progress") == "0" == i.get("aof_rewrite_scheduled") for i in infos):
            return all(i.get("aof_last_bgrewrite_status") == "ok" for i in infos)
        await asyncio.sleep(0.05)
    return False


def budget(said: Mapping[str, str | int | bool], given: int) -> int:
    """Returns how much memory the server may use: as told, as it says itself, or half of its machine's; 0: unknown."""
    most = str(said.get("maxmemory", ""))
    if given or (most.isdecimal() and int(most)):
        return given or int(most)
    return int(said.get("machine_memory", 0)) // 2


def _info(raw: bytes) -> dict[str, str]:
    lines = raw.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
