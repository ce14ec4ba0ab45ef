"""How an embedded guard is written: ``embedded``, or ``embedded?effects=FILE&trusted_tools=A,B&learned=FILE``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

from agentdog.base.errors import UsageError
from agentdog.guards.embedded.guard import EmbeddedGuard
from agentdog.guards.embedded.injection import InjectionModel
from agentdog.guards.protocol import Guard


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand behind the ``?``.

    Attributes:
        effects: YAML file that goes in front of the catalogue of tools' effects.
        trusted_tools: names, between commas, of tools whose results have the user's authority.
        threshold: P(unsafe) from which a step is unsafe.
        learned: file of `agentdog learn`; it decides then.
        injection: folder with ``model.onnx`` and ``tokenizer.json``: a classifier that reads observations too.
    """

    effects: str | None = None
    trusted_tools: str = ""
    threshold: float | None = None
    learned: str | None = None
    injection: str | None = None


def from_uri(uri: str) -> Guard:
    """Builds the guard that a URI names.

    Raises:
        UsageError: an option is unknown or malformed, a file cannot be used, or the model reads other signals.
    """
    head, _, query = uri.partition("?")
    if head != "embedded":
        raise UsageError(f"guard {uri!r}: the embedded guard takes no address; write 'embedded'")
    try:
        given = dict(parse_qsl(query, strict_parsing=bool(query)))
        options = msgspec.convert(given, Options, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        known = ", ".join(f.name for f in msgspec.structs.fields(Options))
        raise UsageError(f"guard {uri!r}: {error}; options are {known}") from error
    guard = EmbeddedGuard(
        effects=Path(options.effects).expanduser() if options.effects else None,
        trusted_tools=tuple(name for name in options.trusted_tools.split(",") if name),
        threshold=options.threshold,
        uri=uri,
        injection=InjectionModel(Path(options.injection).expanduser()) if options.injection else None,
    )
    return _learned(guard, Path(options.learned).expanduser()) if options.learned else guard


def _learned(guard: EmbeddedGuard, path: Path) -> Guard:
    from agentdog.guards.embedded.learned import LearnedGuard, decode

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"learned {path}: {error.strerror}; give a file of `agentdog learn --output`") from error
    model = decode(data, f"learned {path}")
    if model.base != guard.info.fingerprint:
        raise UsageError(
            f"learned {path}: it reads the signals of another embedded guard ({model.base}); learn it anew"
        )
    return LearnedGuard(guard, model)
