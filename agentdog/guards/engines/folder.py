"""A folder that holds a model: whether it is whole, what it is called, what tells it from another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from agentdog.base.errors import GuardUnavailable
from agentdog.base.ids import digest

_SAMPLES = 16  # pieces of each weight file that its fingerprint rests on; the whole would take minutes
_PIECE = 64 * 1024  # bytes
_CONFIG = ("config.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")


class ModelFolder(NamedTuple):
    """A model on disk.

    Attributes:
        path: the folder.
        name: of the model, which a pack is chosen by.
        positions: tokens that its configuration says it takes; ``None`` where it does not say.
        size: bytes of its weights.
        fingerprint: changes when its weights, its tokenizer or its template do. Rests on pieces of the weights.
    """

    path: Path
    name: str
    positions: int | None
    size: int
    fingerprint: str


def read(text: str, name: str | None = None) -> ModelFolder:
    """Reads a folder; raises `GuardUnavailable` naming what it lacks."""
    path = Path(text).expanduser()
    mend = "give the folder of a model as `hf download NAME --local-dir FOLDER` makes it"
    if not path.is_dir():
        raise GuardUnavailable(f"no model folder {text!r}; {mend}")
    try:
        config = json.loads((path / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise GuardUnavailable(f"{text}: config.json cannot be read ({error}); {mend}") from error
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise GuardUnavailable(f"{text}: no *.safetensors in it; {mend}")
    if not any((path / file).is_file() for file in _TOKENIZERS):
        raise GuardUnavailable(f"{text}: no tokenizer in it, looked for {', '.join(_TOKENIZERS)}; {mend}")
    size = sum(file.stat().st_size for file in weights)
    return ModelFolder(path, name or name_of(path), _positions(config), size, _fingerprint(path, weights))


def name_of(path: Path) -> str:
    """Returns a model's name: that of its folder, or the one that a hub's cache folder stands for."""
    for part in path.resolve().parts:
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/")
    return path.resolve().name


def _positions(config: Any) -> int | None:  # noqa: ANN401 - any JSON
    nested = config.get("text_config") if isinstance(config, dict) else None
    for entry in (nested, config):
        found = entry.get("max_position_embeddings") if isinstance(entry, dict) else None
        if isinstance(found, int):
            return found
    return None


def _fingerprint(path: Path, weights: list[Path]) -> str:
    parts = []
    for file in (path / name for name in (*_CONFIG, *_TOKENIZERS)):
        if file.is_file():
            parts.append(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}")
    for file in weights:
        size, taken = file.stat().st_size, hashlib.sha256()
        with file.open("rb") as opened:
            for at in range(_SAMPLES):
                opened.seek(max(0, size - _PIECE) * at // (_SAMPLES - 1))
                taken.update(opened.read(_PIECE))
        parts.append(f"{file.name} {size} {taken.hexdigest()}")
    return digest("model", *parts, size=8)
