"""The key of placeholders: given, or made once and kept in the data folder for its owner only.

Whoever has the key can tell whether a secret that he guesses was redacted, nothing else; it is not kept in the store.
Receivers that share a store must share the key, or equal secrets leave unequal placeholders.
"""

from __future__ import annotations

import os
import secrets
from hashlib import blake2b
from pathlib import Path

from agentdog.base.errors import OutsideError, UsageError

FILE = "redaction.key"
_BYTES = 32
_LEAST = 16


def load_key(given: str | None, data: Path) -> bytes:
    """Returns the key: the one given, else that of the data folder, which is made where there is none.

    Raises:
        UsageError: the key given is too short.
        OutsideError: the file cannot be read or made, or others may read it.
    """
    if given is not None:
        if len(given) < _LEAST:
            raise UsageError(
                f"AGENTDOG_REDACTION__KEY: give at least {_LEAST} characters, such as `openssl rand -hex 32`"
            )
        return blake2b(given.encode(), digest_size=_BYTES).digest()
    path = data.expanduser() / FILE
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
        if path.stat().st_mode & 0o077:
            raise OutsideError(f"{path} can be read by others: chmod 600, or set AGENTDOG_REDACTION__KEY")
        text = path.read_text("ascii").strip()
    except OSError as error:
        raise OutsideError(f"cannot use {path}: {error.strerror}; set AGENTDOG_REDACTION__KEY") from error
    if len(text) < _LEAST:
        raise OutsideError(f"{path} holds no key: remove it to have one made, or set AGENTDOG_REDACTION__KEY")
    return blake2b(text.encode(), digest_size=_BYTES).digest()


def fingerprint(key: bytes) -> str:
    """Names a key without telling it, so that receivers with different ones can be found out."""
    return blake2b(b"agentdog redaction key", key=key, digest_size=6).hexdigest()


def _make(path: Path) -> None:
    """Makes the file whole or not at all: of two processes that start at once one wins, and both read the same."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
