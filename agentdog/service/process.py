"""One process's life: logging, the signals that end it, and the tether that ends it with its supervisor.

The tether is a socket where the supervisor is ours: on it a process says that it advances (`beat`).
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from agentdog.base.clock import rfc3339
from agentdog.service.settings import Settings

#: A tethered process that has not ended this long after its tether was cut is ended without further words.
_LAST_WORDS_S = 20.0
_BEAT_S = 1.0
_YOUNG = 10_000  # objects made since the last look for cycles before the next
T = TypeVar("T")

_FORMAT = "%(asctime)s %(levelname)-7s {name} %(name)s: %(message)s"


def configure_logging(settings: Settings, name: str) -> None:
    """Logs to standard error; what servers and clients say of every start and request is left to ``debug``."""
    level = getattr(logging, settings.log_level.upper())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonLines(name) if settings.log_format == "json" else logging.Formatter(_FORMAT.format(name=name))
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if level > logging.DEBUG:
        for chatty in ("httpx", "uvicorn"):
            logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


class _JsonLines(logging.Formatter):
    """One JSON object a line, for machines that read logs."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Returns time, level, process, logger and message, and the traceback where there is one."""
        line = {
            "time": rfc3339(int(record.created * 1e9)),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a process's whole life, on uvloop where there is one: it halves what waiting costs."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(work)
    return uvloop.run(work)


def step_back(by: int) -> None:
    """Lets other programs of the machine go first where the processor is short; nothing where the system knows no such.

    A process with a session of its own is a group of its own to Linux' scheduler (sched(7), autogroup), and among
    groups only the group's own number counts.
    """
    if by <= 0 or not hasattr(os, "nice"):
        return
    os.nice(by)
    if os.getsid(0) != os.getpid():  # the group is not ours alone
        return
    with suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as group:  # noqa: PTH123 - no file
        group.write(str(by))


def settle_memory() -> None:
    """Called once all is imported: what lives as long as the process is no more looked through for cycles.

    A process that handles records makes hundreds of objects for each and few cycles; to look after every 700 of them
    takes a twentieth of its time, and a look at everything a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)


async def until_told_to_stop(work: Coroutine[Any, Any, T]) -> T | None:
    """Runs `work` to its end, or until a signal, which cancels it; returns ``None`` then."""
    with stop_event() as stop:
        task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for each in (stopping, *(() if task.done() else (task,))):
            each.cancel()
        with suppress(asyncio.CancelledError):
            return await task
        return None


@contextmanager
def stop_event(*, tethered: bool = False) -> Iterator[asyncio.Event]:
    """Gives an event that SIGTERM, SIGINT or, when tethered, the end of standard input sets.

    A tethered process holds one end of a pipe as its standard input; its supervisor holds the other. However the
    supervisor ends, ``kill -9`` included, the kernel closes that end, so no child outlives it.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if tethered:
        threading.Thread(target=_watch_tether, args=(loop, stop), daemon=True).start()
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def beat(advances: Callable[[], bool]) -> None:
    """Tells the supervisor once a second that this process advances, while it does, until it is cancelled.

    Without a supervisor that listens nothing happens.
    """
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        return
    with socket.socket(fileno=os.dup(0)) as tether:
        while True:
            if advances():
                with suppress(OSError):  # nobody reads just now; who has left is noticed by who watches the tether
                    tether.send(b".", socket.MSG_DONTWAIT)
            await asyncio.sleep(_BEAT_S)


def _watch_tether(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with suppress(ConnectionError):  # cut while our last words were unread
        while os.read(0, 64):
            pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)
    threading.Event().wait(_LAST_WORDS_S)
    os._exit(1)
