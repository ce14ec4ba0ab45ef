"""A supervised child: started, started again with growing pauses when it dies, ended gracefully; never left behind.

Invariant: the child's standard input is a pipe whose other end only this process holds, so it ends with this process
however that ends. It has a session of its own: Ctrl-C reaches the supervisor alone, which then ends all in order.
"""

from __future__ import annotations

import asyncio
import logging
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
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], output: IO[bytes] | None = None
    ) -> None:
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
                process = await self._start()
                ending = asyncio.create_task(process.wait())
                await asyncio.wait({stopping, ending}, return_when=asyncio.FIRST_COMPLETED)
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

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=dict(self._environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=self._output or sys.stderr,
            stderr=self._output or sys.stderr,
            start_new_session=True,
        )
        return self._process

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()  # the tether: it ends by itself, and finishes what it holds
        try:
            await asyncio.wait_for(process.wait(), _GRACE_S)
        except TimeoutError:
            _log.warning("%s does not end; killed", self.name)
            process.kill()
            await process.wait()
