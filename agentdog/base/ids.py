"""Identifiers by content: short, stable across processes and runs."""

from __future__ import annotations

import hashlib
import json
from typing import Any

# Made once: `json.dumps` makes one for every value that it is not asked to write in its own way.
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str).encode


def canonical_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Returns one JSON text per value: sorted keys, no spaces, non-ASCII kept."""
    return _encode(value)


def digest(*parts: str | bytes, size: int = 16) -> str:
    """Hashes parts, each with its length so that boundaries count, to ``2 * size`` hex digits (BLAKE2b)."""
    state = hashlib.blake2b(digest_size=size)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(raw).to_bytes(8, "big"))
        state.update(raw)
    return state.hexdigest()
