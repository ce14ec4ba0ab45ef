"""What is lost when the machine goes down: not a process that is killed, but everything that was not on the disk.

    python -m tests.chaos.power [--fsync always|everysec] [--rounds 10] [--seed N] [--json]

The bundled store keeps its log on an ext4 file system of its own (an image on a loop device). Under load, at a random
moment, that file system is shut down by the ioctl with which the kernel's own tests show what survives a power cut
(`EXT4_IOC_SHUTDOWN`, its journal not flushed): from that moment nothing more reaches the device, and what lay in memory
only is gone. The store is killed, the file system mounted again as after a restart, the store started from what is
there, and everything that was acknowledged before that moment is looked for. What is missing is lost; the time from
the oldest acknowledgement among it to the moment is the window.

Needs Linux, root and loop devices: without them it says so (exit code 2). Exit code 1 where something was lost though
the log is always synced, or where the accounting does not add up. Writes that a drive was not told to sync, and has
all the same, count as written: what a drive may lose of those is not seen here. Ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import http.client
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agentdog.spans.otlp_encode import encode_traces
from agentdog.store import keys
from agentdog.store.accounting import accounting, audit
from agentdog.store.embedded import EmbeddedServer
from agentdog.store.link import Link
from tests.support.ports import free_ports
from tests.support.records import span
from tests.support.serving import serving, settings_for
from tests.support.tree import descendants
from tests.support.waiting import until

_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), linux/fs/ext4/ext4.h
_NO_LOG_FLUSH = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH: as if the power went
_IMAGE_BYTES = 256 << 20
_SPANS = 8  # of one request
_SENDERS = 3
_UP_TO_S = 5.0


def why_not() -> str | None:
    """Says why it cannot be shown here; None where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "mounting a file system needs Linux and root"
    missing = [program for program in ("mkfs.ext4", "mount", "umount") if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} is not installed"
    with tempfile.TemporaryDirectory(prefix="ad-") as folder:
        try:
            with _mounted(_image(Path(folder)), Path(folder) / "m"):
                return None
        except (OSError, subprocess.CalledProcessError) as error:
            return f"no loop device can be mounted: {error}"


def run(rounds: int, *, fsync: str, seed: int) -> dict[str, Any]:
    """Takes the power so many times; returns what was found."""
    chance = random.Random(seed)
    found = [_round(fsync, number, chance) for number in range(rounds)]
    return {
        "fsync": fsync,
        "rounds": rounds,
        "acknowledged_spans": sum(each["acknowledged"] for each in found),
        "lost_spans": sum(each["lost"] for each in found),
        "rounds_with_losses": sum(each["lost"] > 0 for each in found),
        "longest_window_s": max(each["window_s"] for each in found),
        "windows_s": [each["window_s"] for each in found],
        "accounting_exact": all(each["exact"] for each in found),
    }


def _round(fsync: str, number: int, chance: random.Random) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ad-") as name:
        folder = Path(name)
        image, place = _image(folder), folder / "m"
        said = _Acknowledged()
        with _mounted(image, place):
            server = EmbeddedServer(place / "data", fsync=fsync)
            asyncio.run(server.start())
            try:
                with serving(settings_for(server.url, free_ports(4))) as settings, _load(settings.otlp_http.port, said):
                    until(lambda: said.some, "nothing was acknowledged")
                    time.sleep(chance.uniform(0, _UP_TO_S))  # at whatever moment: that is what is tried
                    moment = _power_off(place)
                    _kill(place)
            finally:
                asyncio.run(server.stop())
        with _mounted(image, place):
            server = EmbeddedServer(place / "data", fsync=fsync)
            asyncio.run(server.start())
            try:
                acknowledged = said.before(moment)
                there, exact = asyncio.run(_there(server.url, list(acknowledged)))
            finally:
                asyncio.run(server.stop())
    lost = {unit: at for unit, at in acknowledged.items() if there[unit] < _SPANS}
    result = {
        "acknowledged": _SPANS * len(there),
        "lost": sum(_SPANS - there[unit] for unit in lost),
        "window_s": round(max((moment - at for at in lost.values()), default=0.0), 2),
        "exact": exact,
    }
    print(f"round {number + 1}: {result}", file=sys.stderr, flush=True)
    return result


class _Acknowledged:
    """Which requests were acknowledged, and when."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._number = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        with self._lock:
            self._number += 1
            return self._number

    def note(self, unit: str) -> None:
        self._at[unit] = time.monotonic()

    @property
    def some(self) -> bool:
        return bool(self._at)

    def before(self, moment: float) -> dict[str, float]:
        return {unit: at for unit, at in self._at.items() if at < moment}


@contextmanager
def _load(port: int, said: _Acknowledged) -> Iterator[None]:
    """Sends small traces over a few connections, one request at a time each, until the block ends."""
    stop = threading.Event()

    def send() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with suppress(OSError, http.client.HTTPException):  # the power went, and the receiver with it
            while not stop.is_set():
                trace = said.next()
                spans = [span(trace, place, text=f"text {trace} {place}") for place in range(_SPANS)]
                client.request("POST", "/v1/traces", encode_traces(spans), {"content-type": "application/x-protobuf"})
                answer = client.getresponse()
                answer.read()
                if answer.status == http.HTTPStatus.OK:
                    said.note(spans[0].unit)
        client.close()

    threads = [threading.Thread(target=send) for _ in range(_SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _power_off(place: Path) -> float:
    """Takes the power; returns the moment before."""
    folder = os.open(place, os.O_RDONLY)
    try:
        moment = time.monotonic()
        fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
    finally:
        os.close(folder)
    return moment


def _kill(place: Path) -> None:
    """Kills the store that lies there and who watches over it: a machine that is down runs nothing."""
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it ended meanwhile
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"valkey-server" in words and os.fsencode(place) in words:  # other tests of this process have theirs
                os.kill(pid, signal.SIGKILL)


async def _there(url: str, units: list[str]) -> tuple[dict[str, int], bool]:
    """Counts the records of each unit; and whether the accounting adds up and agrees with them."""
    link = Link.to(url, 30.0)
    try:
        sizes = await link.many([("HLEN", keys.records("default", unit)) for unit in units])
        # Of a store that was cut off before anything was synced nothing is left, and nothing is counted either.
        counts = (await accounting(link)).get("default", {"pending": 0, "stored": 0})
        records = (await audit(link)).get("default", {"records": 0})["records"]
    finally:
        await link.close()
    return dict(zip(units, sizes, strict=True)), counts["pending"] == 0 and counts["stored"] == records


def _image(folder: Path) -> Path:
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True, capture_output=True)
    return image


@contextmanager
def _mounted(image: Path, place: Path) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, capture_output=True)
    try:
        yield
    finally:
        until(lambda: _unmount(place), f"{place} stays busy")


def _unmount(place: Path) -> bool:
    return subprocess.run(["umount", str(place)], check=False, capture_output=True).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fsync", choices=("always", "everysec"), default="always")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    if reason := why_not():
        print(f"not shown here: {reason}", file=sys.stderr)
        sys.exit(2)
    result = run(options.rounds, fsync=options.fsync, seed=options.seed)
    print(json.dumps(result, indent=2) if options.as_json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    sys.exit(bool((result["lost_spans"] and options.fsync == "always") or not result["accounting_exact"]))


if __name__ == "__main__":
    main()
