"""Whose words a prompt is in, told by the words themselves.

A paper prints its prompt with line breaks of its own, so white space is no part of the wording.
"""

from __future__ import annotations

import hashlib

from agentdog.guards.packs import Pack


def fingerprint(pack: Pack) -> str:
    """SHA-256 of a pack's prompt, every run of white space as one blank, places to fill in as packs name them."""
    return hashlib.sha256(" ".join(pack.prompt.split()).encode()).hexdigest()
