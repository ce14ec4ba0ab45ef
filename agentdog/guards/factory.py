"""A guard from its URI: the one place that knows which kinds there are; each is imported only when asked for."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from agentdog.base.errors import UsageError
from agentdog.guards.protocol import Guard

#: The user's pack folder inside the data folder.
PACKS_FOLDER = "packs"
#: Scheme → how its URI is written.
SCHEMES = {
    "embedded": "embedded?effects=FILE&trusted_tools=NAME,NAME&learned=FILE&injection=FOLDER",
    "server": "server:http://HOST:PORT/v1?model=NAME",
    "local": "local:PATH?pack=NAME",
    "vllm": "vllm:PATH?pack=NAME",
    "cascade": "cascade:STAGE>STAGE",
    "python": "python:MODULE:FUNCTION",
    "cmd": "cmd:PROGRAM ARGUMENT…",
}


def with_pack(uri: str, pack: str | None) -> str:
    """Returns a guard's URI with another pack; raises `UsageError` where the guard has none."""
    if pack is None:
        return uri
    scheme = uri.partition(":")[0]
    if scheme == "cascade":
        raise UsageError("--pack: a cascade's stages have packs of their own; write pack=NAME behind the stage's ?")
    if scheme not in ("server", "local", "vllm"):
        raise UsageError(f"--pack: guard {uri!r} asks no model, so that it has no pack")
    place, _, query = uri.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("pack=")]
    return f"{place}?{'&'.join((*kept, f'pack={quote(pack)}'))}"


def build(uri: str, packs_folder: Path | None = None, *, diagnoses: bool = False) -> Guard:
    """Builds the guard that a URI names; nothing is asked of it yet.

    Args:
        uri: as in `SCHEMES`.
        packs_folder: where the user keeps packs and official wording; without it only what ships is known.
        diagnoses: it is asked only about what is unsafe, so its pack may be one that names labels alone.

    Raises:
        UsageError: the URI's scheme is none of ours.
        GuardUnavailable: the URI is ours, and wrong in a way that its message names.
    """
    return _build(uri, packs_folder, diagnoses=diagnoses)


def _build(uri: str, packs_folder: Path | None, *, diagnoses: bool) -> Guard:
    scheme = uri.partition(":")[0]
    if scheme == "cascade":
        from agentdog.guards.cascade import Cascade

        return Cascade.from_uri(uri, lambda stage, last: _build(stage, packs_folder, diagnoses=last))
    if scheme.partition("?")[0] == "embedded":
        from agentdog.guards.embedded.options import from_uri as embedded

        return embedded(uri)
    if scheme == "server":
        from agentdog.guards.server import ServerGuard

        return ServerGuard.from_uri(uri, packs_folder=packs_folder, diagnoses=diagnoses)
    if scheme in ("local", "vllm"):
        from agentdog.guards.engines.guard import from_uri

        return from_uri(uri, packs_folder=packs_folder, diagnoses=diagnoses)
    if scheme in ("python", "cmd"):
        from agentdog.guards import own

        return own.from_function(uri) if scheme == "python" else own.from_program(uri)
    raise UsageError(f"guard {uri!r}: unknown kind {scheme!r}; known are {', '.join(SCHEMES.values())}")
