"""Takes secrets, and personal data where that is wanted, out of everything that arrives, before anything else sees it.

Invariant: redaction is a pure function of one record and the key, so a record that is sent again is the same record,
and equal secrets leave equal placeholders, ``[secret:kind:tag]``, wherever they stand.
"""

from __future__ import annotations

from agentdog.service.redaction.key import load_key
from agentdog.service.redaction.redactor import Redactor, build
from agentdog.service.settings import Settings

__all__ = ["Redactor", "build", "load_key", "redactor_of"]


def redactor_of(settings: Settings) -> Redactor | None:
    """Builds what the settings ask for; ``None`` where nothing is to be taken out.

    Raises:
        UsageError: a pattern cannot be used.
        OutsideError: the key cannot be had.
    """
    wanted = settings.redaction
    if not (wanted.secrets or wanted.personal or wanted.patterns):
        return None
    key = load_key(wanted.key, settings.data)
    return build(key, secrets=wanted.secrets, personal=wanted.personal, patterns=wanted.patterns)
