"""Signatures of webhooks, by Standard Webhooks 1.0: HMAC-SHA256 over id, timestamp and body. Pure.

Libraries that verify it exist for most languages (standardwebhooks.com). A receiver refuses old timestamps, so that a
recorded request cannot be played again; `webhook-id` is the same for every try of one message.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from agentdog.base.errors import UsageError

_PREFIX = "whsec_"
_SHORTEST = 24  # bytes; the specification asks for 24 to 64


def secret_key(secret: str) -> bytes:
    """Returns the key of a secret: base64 after ``whsec_``, or the bytes of any other text.

    Raises:
        UsageError: it is too short, or is no base64.
    """
    try:
        key = (
            base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
            if secret.startswith(_PREFIX)
            else secret.encode()
        )
    except binascii.Error as error:
        raise UsageError("AGENTDOG_OUTBOUND__WEBHOOK__SECRET: what follows whsec_ is no base64") from error
    if len(key) < _SHORTEST:
        raise UsageError(
            f"AGENTDOG_OUTBOUND__WEBHOOK__SECRET: {len(key)} bytes are too few; give {_SHORTEST} or more, such as"
            " whsec_$(openssl rand -base64 32)"
        )
    return key


def headers(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Returns the headers that say who sent a body, and when."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    mark = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{mark}",
        "idempotency-key": message_id,
    }
