"""Actions written as text, as data sets and prompt-driven agents write them, back into calls.

Invariant: nothing is lost. A text that is no call in any known notation stays the agent's text; a call whose arguments
cannot be decoded keeps them verbatim. Pure, and total: no text raises.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Call(NamedTuple):
    """A tool's name, its decoded arguments, and the undecoded text where decoding failed."""

    name: str
    arguments: dict[str, Any]
    raw: str | None = None


class Action(NamedTuple):
    """What one action text says: calls, or a text for the user (never both)."""

    calls: tuple[Call, ...] = ()
    answer: str | None = None


_NAME = r"[A-Za-z_][\w.\-]*"
_JSON = json.JSONDecoder(strict=False)
#: Names that end a run with an answer, with the field that holds it (AgentDoG's layout, ReAct's "Final Answer").
_ANSWERS = {"Complete": "response"}
_FINAL = re.compile(r"\s*Final Answer\s*:\s*(?P<text>.*)", re.DOTALL)
#: Action types of OpenHands that its transcripts print as ``type: text``; the field that the text belongs to, if any.
_OPENHANDS = {
    "run": "command",
    "run_ipython": "code",
    "read": "path",
    "write": None,
    "edit": None,
    "browse": "url",
    "browse_interactive": "browser_actions",
    "think": "thought",
    "chat": "content",
    "finish": "final_thought",
    "delegate": None,
}
_TOLD = re.compile(rf"I will call the (?P<name>{_NAME}) with the params as (?P<arguments>None|\{{.*?\}});", re.DOTALL)
_FUNCTION = re.compile(rf"\s*(?P<name>{_NAME})\(")
_PYTHON = re.compile(rf"\s*{_NAME}\(\s*[A-Za-z_]\w*\s*=")
_BRACE = re.compile(rf"\s*(?P<name>{_NAME})\s*:?\s*(?P<arguments>\{{.*\}})\s*", re.DOTALL)
_REACT = re.compile(rf"\s*(?:Action:\s*)?(?P<name>{_NAME})\s*\n+\s*Action Input:\s*(?P<arguments>.*)", re.DOTALL)
_COLON = re.compile(r"(?P<name>[a-z_]+):\s?(?P<rest>.*)", re.DOTALL)
_FENCE = re.compile(r"\s*```(?P<name>bash|sh|python)\n(?P<code>.*?)\n?```\s*", re.DOTALL)
_XML_FUNCTION = re.compile(r"<function=(?P<name>[^>\s]+)>(?P<body>.*?)</function>", re.DOTALL)
_XML_PARAMETER = re.compile(r"<parameter=(?P<name>[^>\s]+)>\n?(?P<value>.*?)\n?</parameter>", re.DOTALL)


def parse_action(text: str) -> Action:
    """Reads one action text; a text in no known notation is returned as the answer, verbatim."""
    if final := _FINAL.fullmatch(text):
        return Action(answer=final["text"])
    for notation in _NOTATIONS:
        calls = notation(text)
        if calls:
            return _answered(calls)
    return Action(answer=text)


def told_calls(text: str) -> Action | None:
    """Reads calls that an agent's turn tells beside their results, as ASB prints them (arXiv 2410.02644).

    ``[Action]: I will call the TOOL with the params as ARGUMENTS;[Observation]: ...``. The text stays the turn's: only
    the calls are taken out of it.
    """
    if not text.startswith("[Action]:"):
        return None
    told = [(m["name"], decode_object(m["arguments"])) for m in _TOLD.finditer(text.split("[Observation]:", 1)[0])]
    return Action(calls=tuple(Call(name, arguments or {}) for name, arguments in told)) if told else None


def _answered(calls: tuple[Call, ...]) -> Action:
    """Turns a lone closing call, such as ``Complete{"response": …}``, into the answer that it carries."""
    field = _ANSWERS.get(calls[0].name) if len(calls) == 1 else None
    if field is None:
        return Action(calls=calls)
    value = calls[0].arguments.get(field, calls[0].raw)
    return Action(answer=value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _as_json(text: str) -> tuple[Call, ...]:
    """``{"name": …, "arguments": {…}}``, a list of such, or AutoGPT's ``"command": {"name": …, "args": {…}}``."""
    stripped = text.strip()
    if stripped.startswith('"command"'):
        stripped = "{" + stripped.rstrip(",") + "}"
    value = decode_object(stripped) if stripped.startswith("{") else _decode(stripped) if stripped[:1] == "[" else None
    if isinstance(value, dict) and isinstance(value.get("command"), dict):
        value = value["command"]
    items = value if isinstance(value, list) else [value]
    calls = [_of_object(item) for item in items]
    return tuple(c for c in calls if c) if calls and all(calls) else ()


def _of_object(item: object) -> Call | None:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return None
    given = item.get("arguments", item.get("args", {}))
    if isinstance(given, str):
        decoded = decode_object(given)
        return Call(item["name"], decoded or {}, None if decoded is not None else given)
    return Call(item["name"], given) if isinstance(given, dict) else Call(item["name"], {}, json.dumps(given))


def _as_functions(text: str) -> tuple[Call, ...]:
    """``tool({"a": 1})``, one per line; ``tool()`` has no arguments."""
    calls: list[Call] = []
    at = 0
    while found := _FUNCTION.match(text, at):
        at = found.end()
        arguments: dict[str, Any] = {}
        if not text.startswith(")", at):
            try:
                value, at = _JSON.raw_decode(text, at)
            except (ValueError, RecursionError):
                return ()
            if not isinstance(value, dict):
                return ()
            arguments = value
        if not text.startswith(")", at):
            return ()
        at += 1
        calls.append(Call(found["name"], arguments))
    return tuple(calls) if not text[at:].strip() else ()


def _as_xml(text: str) -> tuple[Call, ...]:
    """``<function=tool><parameter=a>1</parameter></function>``; values that are JSON are decoded."""
    return tuple(
        Call(f["name"], {p["name"]: _scalar(p["value"]) for p in _XML_PARAMETER.finditer(f["body"])})
        for f in _XML_FUNCTION.finditer(text)
    )


def _as_named(text: str) -> tuple[Call, ...]:
    """``Tool{'a': 1}``, ``Tool: {"a": 1}`` and a name with an ``Action Input: {"a": 1}`` below it."""
    found = _REACT.fullmatch(text) or _BRACE.fullmatch(text)
    if not found:
        return ()
    decoded = decode_object(found["arguments"])
    return (Call(found["name"], decoded or {}, None if decoded is not None else found["arguments"]),)


def _as_python(text: str) -> tuple[Call, ...]:
    """``Tool(a=1, b='x')``: one call in Python's own notation, of literals by name."""
    if not _PYTHON.match(text):
        return ()
    try:
        found = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    if not isinstance(found, ast.Call) or found.args or not found.keywords:
        return ()
    literal = "{" + ", ".join(f"{k.arg!r}: {ast.unparse(k.value)}" for k in found.keywords if k.arg) + "}"
    decoded = decode_object(literal) if all(k.arg for k in found.keywords) else None
    return (Call(ast.unparse(found.func), decoded),) if decoded is not None else ()


def _as_openhands(text: str) -> tuple[Call, ...]:
    """``run: ls -l``: a type and its text."""
    found = _COLON.fullmatch(text)
    if not found or found["name"] not in _OPENHANDS:
        return ()
    field = _OPENHANDS[found["name"]]
    return (Call(found["name"], {field: found["rest"]}) if field else Call(found["name"], {}, found["rest"]),)


def _as_fence(text: str) -> tuple[Call, ...]:
    """A text that is one block of code and nothing else is run by its interpreter."""
    found = _FENCE.fullmatch(text)
    return (Call(found["name"], {"command": found["code"]}),) if found else ()


#: From the strictest notation to the loosest; the first that reads the whole text wins.
_NOTATIONS: tuple[Callable[[str], tuple[Call, ...]], ...] = (
    _as_json,
    _as_functions,
    _as_xml,
    _as_named,
    _as_python,
    _as_openhands,
    _as_fence,
)


def decode_object(text: str) -> dict[str, Any] | None:
    """Decodes a JSON object or a Python dict literal; ``None`` when the text is neither."""
    value = _decode(text)
    if not isinstance(value, dict):
        return None
    # JSON has text keys only; a Python literal such as {1: "a"} is brought to the same form.
    return {key if isinstance(key, str) else str(key): item for key, item in value.items()}


def _decode(text: str) -> object:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        pass  # not JSON: the next notation is tried
    # Models write line breaks into Python strings as they are; the literal has them escaped.
    for candidate in (text, text.strip().replace("\n", "\\n")):
        try:
            value = ast.literal_eval(candidate.strip())
            json.dumps(value)  # a set, bytes or a complex number is no JSON value
            return value
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _scalar(text: str) -> object:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
