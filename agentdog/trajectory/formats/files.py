"""Files of rows: JSON, JSON lines, plain or gzip, told apart by content and not by name."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from agentdog.base.errors import DecodeError, NotFoundError

_GZIP_MAGIC = b"\x1f\x8b"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
#: What safe rows carry in place of a label.
_NO_LABEL = frozenset({"", "benign"})
_TRUTH = {"true": 1, "1": 1, "false": 0, "0": 0}
_LABELS = {"unsafe": 1, "1": 1, "safe": 0, "0": 0}
Shape = Literal["lines", "list", "object"]
T = TypeVar("T")


def read_bytes(path: Path) -> bytes:
    """Reads a file, unpacked where it is gzip.

    Raises:
        NotFoundError: when there is no such file.
        DecodeError: when a gzip file is damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"no file {path}") from None
    except IsADirectoryError:
        raise DecodeError(f"{path} is a folder; name a file in it") from None
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise DecodeError(f"{path}: damaged gzip data ({error})") from error


def packed(data: bytes) -> bytes:
    """Packs bytes with gzip: the same bytes give the same file."""
    return gzip.compress(data, mtime=0)


def read_values(path: Path) -> tuple[Shape, list[Any]]:
    """Reads every JSON value of a file: the items of a list, the one object, or one value per line.

    Raises:
        NotFoundError: when there is no such file.
        DecodeError: naming the line, when it is not JSON.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError(f"{path}: not UTF-8 text (byte {error.start})") from error
    try:
        whole = _decode(text)
    except RecursionError:
        raise DecodeError(f"{path}: nested too deep to be read") from None
    except ValueError:
        return "lines", _sound(list(_lines(path, text)), text)
    return ("list", _sound(whole, text)) if isinstance(whole, list) else ("object", _sound([whole], text))


def _sound(values: list[Any], text: str) -> list[Any]:
    """Replaces lone halves of surrogate pairs: JSON may escape them, no text that is hashed or sent can hold one."""
    return [_whole(value) for value in values] if _SURROGATE.search(text) else values


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {_whole(key): _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


def _lines(path: Path, text: str) -> Iterator[Any]:
    # Split at line feeds only: JSON text may hold other separators, such as U+2028, within strings.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield _decode(line)
        except RecursionError:
            raise DecodeError(f"{path}, line {number}: nested too deep to be read") from None
        except ValueError as error:
            raise DecodeError(f"{path}, line {number}: not JSON ({error})") from error


def _decode(text: str) -> Any:  # noqa: ANN401 - any JSON value
    # NaN is no JSON, but what data frames write where a value is missing; infinities stay what the file calls them.
    return json.loads(text, parse_constant=lambda name: None if name == "NaN" else name)


def decoded(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Decodes a value that a file keeps as JSON text; text that is no JSON stays as it is."""
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return text


def column(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Returns a structured field, decoded where a loader keeps it as JSON text, or as JSON lines in one text."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    found = decoded(value)
    if found is not value or "\n" not in value:
        return found
    lines = [decoded(line) for line in value.splitlines() if line.strip()]
    return value if any(isinstance(line, str) for line in lines) else lines


def cases(path: Path, to_case: Callable[[dict[str, Any], str, str, int], T]) -> Iterator[T]:
    """Turns every row of a file into a case by `to_case` (row, where it stands, the set's name, its number).

    The set is named after the file.

    Raises:
        DecodeError: naming row and field, when a row does not fit the schema.
    """
    source = path.name.split(".")[0]
    _, values = read_values(path)
    for number, (where, row) in enumerate(rows(path, values)):
        yield to_case(row, where, source, number)


def rows(path: Path, values: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Numbers rows for messages, counted from 1, and holds that each is an object."""
    for number, value in enumerate(values, 1):
        where = f"{path.name}, row {number}"
        if not isinstance(value, dict):
            raise DecodeError(f"{where}: {type(value).__name__} where an object was expected")
        yield where, value


def unsafe_label(row: dict[str, Any], where: str) -> int | None:
    """Reads ``is_safe``: true (or 1) 0, false (or 0) 1, absent or null unlabelled; loaders write them as text too.

    Raises:
        DecodeError: for any other value.
    """
    value = row.get("is_safe")
    if value is None:
        return None
    word = str(value).lower()
    if isinstance(value, bool | int | str) and word in _TRUTH:
        return 1 - _TRUTH[word]
    raise DecodeError(f"{where}: is_safe is {value!r}; expected true, false or null")


def gold_text(row: dict[str, Any], keys: tuple[str, ...], where: str) -> str | None:
    """Reads the first of some fields that holds an annotated label; what safe rows carry in its place is none.

    Raises:
        DecodeError: when one holds something else than text.
    """
    for key in keys:
        value = row.get(key)
        if value is not None and not isinstance(value, str):
            raise DecodeError(f"{where}: {key} is {type(value).__name__}; expected text or null")
        if value is not None:
            return None if value in _NO_LABEL else value
    return None


def binary_label(row: dict[str, Any], where: str) -> int | None:
    """Reads ``label``: 1 or ``unsafe``, 0 or ``safe``, absent or null unlabelled.

    Raises:
        DecodeError: for any other value.
    """
    value = row.get("label")
    if value is None or (value in (0, 1) and not isinstance(value, str)):
        return None if value is None else int(value)
    if isinstance(value, str) and value.lower() in _LABELS:
        return _LABELS[value.lower()]
    raise DecodeError(f"{where}: label is {value!r}; expected 1 (unsafe), 0 (safe) or null")
