"""Reads values that emitters wrote as text: JSON, JSON in JSON, Python ``repr``.

Invariant: text that is none of these comes back as it was; nothing is evaluated, only literals and the keyword
arguments of constructor calls are read.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode
_ENUM = re.compile(r"<[A-Za-z_][\w.]*: ('[^']*'|-?\d+)>")  # an enum's repr holds its value
_MAX_REPR = 200_000  # characters; parsing Python's grammar costs far more per character than JSON


def load(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Returns what a text means when it is a JSON or Python container, else the value unchanged."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text or text[0] not in '[{"':
        return value
    try:
        found = _decode(text)
    except (msgspec.DecodeError, RecursionError):
        found = _python(text)
        return value if found is None else found
    if text[0] == '"' and isinstance(found, str):
        return load(found) if found.strip()[:1] in ("[", "{", '"') else found
    return found


def load_container(value: Any) -> Any:  # noqa: ANN401
    """Like `load`, but only for what turns out to be a list or an object; any other text stays as it was written."""
    found = load(value)
    return found if isinstance(found, list | dict) else value


def looks_cut(value: Any) -> bool:  # noqa: ANN401
    """Says whether a text began as a JSON container and does not end as one: an attribute limit cut it."""
    if not isinstance(value, str):
        return False
    text = value.strip()
    return text.startswith(('{"', "{'", "[{", '["', "['")) and load(text) == text


def dump(value: Any) -> str:  # noqa: ANN401
    """Writes a value as the text that a model would be shown: strings as they are, structure as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def python_call(text: str) -> dict[str, Any] | None:
    """Reads ``Name(key=literal, …)``, the ``repr`` of a model object, as its keywords with ``"__class__"``."""
    found = _python(text.strip())
    return found if isinstance(found, dict) and "__class__" in found else None


def python_calls(text: str) -> list[dict[str, Any]]:
    """Reads one ``Name(…)`` per line or a list of them; empty when the text is anything else."""
    found = _python(text.strip())
    items = found if isinstance(found, list) else [found]
    if items and all(isinstance(item, dict) and "__class__" in item for item in items):
        return items
    return []


def _python(text: str) -> Any:  # noqa: ANN401
    if len(text) > _MAX_REPR:
        return None
    for source in (text, _ENUM.sub(r"\1", text)):
        try:
            return _literal(ast.parse(source, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _constant(value: Any) -> Any:  # noqa: ANN401
    """Returns a literal as JSON can say it: half a surrogate pair, which no encoding of text has, is replaced."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or isinstance(value, int | float):
        return value
    raise ValueError("not a literal of JSON")


def _literal(node: ast.expr) -> Any:  # noqa: ANN401 - one return per kind of node
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {str(_literal(k)): _literal(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        return {"__class__": name, **{k.arg: _literal(k.value) for k in node.keywords if k.arg}}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand)
        if isinstance(value, int | float):
            return -value
    if isinstance(node, ast.Name):  # NaN, or a bare enum member
        return node.id
    raise ValueError("not a literal")
