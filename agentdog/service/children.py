"""A supervised child: started, started again with growing pauses when it dies or hangs, ended gracefully; never left.

Invariant: the child's standard input is a socket whose other end only this process holds, so it ends with this process
however that ends. It has a session of its own: Ctrl-C reaches the supervisor alone, which then ends all in order.

A child that beats (`agentdog.service.process.beat`) says on that socket that it advances. One that has begun to and
falls silent lives but does nothing: it is killed like one that died, and what it held is taken over.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO

from agentdog.base.errors import OutsideError

_log = logging.getLogger(__name__)

#: A command's exit code for what no restart mends: wrong settings, a port in use (`agentdog.cli`).
_USAGE = 2
_FIRST_PAUSE_S = 0.5
#: With the seconds that a start takes still less than an exporter keeps trying by default (OTEL_EXPORTER_OTLP_TIMEOUT).
_LONGEST_PAUSE_S = 4.0
_GRACE_S = 12.0


class Child:
    """One command under supervision.

    Args:
        name: for people.
        command: argument vector; must end when its standard input does.
        environment: its whole environment.
        output: where its standard output and error go; ours when not given.
        silence_s: how long one that beats may be silent.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes] | None = None,
        *,
        silence_s: float = 60.0,
    ) -> None:
        self._silence_s = silence_s
        self._tether: socket.socket | None = None
        self.name = name
        self._command = command
        self._environment = environment
        self._output = output
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep(self, stop: asyncio.Event) -> None:
        """Runs it until `stop` is set, then ends it.

        Raises:
            OutsideError: it says that its settings or surroundings are wrong, which no restart mends.
        """
        pause = _FIRST_PAUSE_S
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                started = time.monotonic()
                process, tether = await self._start()
                ending = asyncio.create_task(process.wait())
                await self._until_over(process, tether, stopping, ending)
                if stop.is_set():
                    break
                code = await ending
                if code == _USAGE:
                    where = getattr(self._output, "name", "the lines above")
                    raise OutsideError(f"{self.name} cannot run; {where} say why")
                pause = _FIRST_PAUSE_S if time.monotonic() - started > _LONGEST_PAUSE_S else pause
                _log.warning("%s ended with code %s; starting it again in %.1f s", self.name, code, pause)
                await asyncio.wait({stopping}, timeout=pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        finally:
            stopping.cancel()
            await self._end()

    async def _start(self) -> tuple[asyncio.subprocess.Process, socket.socket]:
        self._let_go()
        tether, other = socket.socketpair()
        self._tether = tether
        tether.setblocking(False)
        with other:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=dict(self._environment),
                stdin=other.fileno(),
                stdout=self._output or sys.stderr,
                stderr=self._output or sys.stderr,
                start_new_session=True,
            )
        return self._process, tether

    async def _until_over(
        self,
        process: asyncio.subprocess.Process,
        tether: socket.socket,
        stopping: asyncio.Task[bool],
        ending: asyncio.Task[int],
    ) -> None:
        """Waits until it is to be stopped, or ended, or was killed since it hangs."""
        silent = asyncio.create_task(_silence(tether, self._silence_s))
        try:
            await asyncio.wait({stopping, ending, silent}, return_when=asyncio.FIRST_COMPLETED)
            if silent.done() and not ending.done():
                _log.error("%s lives but has not advanced for %.0f s; killed", self.name, self._silence_s)
                process.kill()
        finally:
            silent.cancel()
            await asyncio.wait({silent})  # before the socket that it reads is closed

    def _let_go(self) -> None:
        """Cuts the tether: the child ends by itself, and finishes what it holds."""
        if self._tether is not None:
            self._tether.close()
            self._tether = None

    async def _end(self) -> None:
        process = self._process
        self._let_go()
        if process is None or process.returncode is not None:
            return
        try:
            await asyncio.wait_for(process.wait(), _GRACE_S)
        except TimeoutError:
            _log.warning("%s does not end; killed", self.name)
            process.kill()
            await process.wait()


async def _silence(tether: socket.socket, patience_s: float) -> None:
    """Returns once a child that has beaten before beats no more."""
    loop, patience = asyncio.get_running_loop(), None
    while True:
        try:
            async with asyncio.timeout(patience):
                said = await loop.sock_recv(tether, 64)
        except TimeoutError:
            said = _unread(tether)  # it may have been us who stood still
            if not said:
                return
        except OSError:
            said = b""
        if not said:  # it ends, which is another's to notice
            await asyncio.Event().wait()
        patience = patience_s


def _unread(tether: socket.socket) -> bytes:
    try:
        return tether.recv(64)
    except OSError:
        return b""
