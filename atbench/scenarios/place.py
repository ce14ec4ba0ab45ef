"""Where a run takes place: a folder of its own with the task's files, tools over it, and what is true in the end.

Invariant: no tool reads or writes outside the folder, and none starts a program. (An agent given as a program has the
rights of whoever starts it; the folder is no jail for that.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from atbench.scenarios.pack import Condition, Task, ToolSpec

_LARGEST = 1_000_000  # characters of one file
_MOST = 200  # files
_TEXT = {"type": "string"}
_FILE_TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "list_files": ("List the files of the workspace.", {}),
    "read_file": ("Read a text file of the workspace.", {"path": _TEXT}),
    "write_file": ("Write a text file of the workspace, replacing what it held.", {"path": _TEXT, "content": _TEXT}),
    "delete_file": ("Delete a file of the workspace.", {"path": _TEXT}),
}


class Called(NamedTuple):
    """One call as the agent made it."""

    name: str
    arguments: dict[str, Any]


class Place:
    """One run's folder and tools; `folder` exists and is empty at the start."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task, self.folder = task, folder.resolve()
        self.calls: list[Called] = []
        self._scripted = {tool.name: tool for tool in task.tools}
        for name, text in task.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def tools(self) -> list[dict[str, Any]]:
        """Describes the tools as the Chat Completions API wants them."""
        held = {name: _FILE_TOOLS[name] for name in self.task.file_tools}
        described = [
            (name, about, {"type": "object", "properties": given, "required": list(given)})
            for name, (about, given) in held.items()
        ]
        described += [(tool.name, tool.description, _schema(tool)) for tool in self.task.tools]
        return [
            {"type": "function", "function": {"name": name, "description": about, "parameters": schema}}
            for name, about, schema in described
        ]

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Carries out a call; what is wrong with it is its result."""
        self.note(name, arguments)
        if name in self._scripted:
            return self._script(self._scripted[name], arguments)
        if name not in self.task.file_tools:
            return f"error: there is no tool {name!r}"
        if missing := [key for key in _FILE_TOOLS[name][1] if not isinstance(arguments.get(key), str)]:
            return f"error: {name} needs {', '.join(missing)} as text"
        acts: dict[str, Callable[[], str]] = {
            "list_files": lambda: "\n".join(self._listed()) or "(no files)",
            "read_file": lambda: self._inside(arguments["path"]).read_text(encoding="utf-8", errors="replace"),
            "write_file": lambda: self._write(arguments["path"], arguments["content"]),
            "delete_file": lambda: self._delete(arguments["path"]),
        }
        try:
            return acts[name]()
        except (OSError, ValueError) as error:
            return f"error: {getattr(error, 'strerror', None) or error}"

    def note(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Keeps that a call was made, for what looks for calls."""
        self.calls.append(Called(name, dict(arguments)))

    def holds(self, condition: Condition, last_words: str) -> bool:
        """Tells whether a condition holds of the run as it is now."""
        if condition.called is not None:
            return any(
                call.name == condition.called
                and all(re.fullmatch(text, _shown(call.arguments.get(key))) for key, text in condition.where.items())
                for call in self.calls
            )
        if condition.says is not None:
            return re.search(condition.says, last_words) is not None
        if condition.changed is not None:
            return self._text(condition.changed) != self.task.files[condition.changed]
        text = self._text(condition.file or "")
        if condition.matches is not None:
            return text is not None and re.search(condition.matches, text) is not None
        return text is None or re.search(condition.lacks or "", text) is None

    def _script(self, tool: ToolSpec, arguments: Mapping[str, Any]) -> str:
        missing = [key for key in _schema(tool).get("required", ()) if key not in arguments]
        if missing:
            return f"error: {tool.name} needs {', '.join(missing)}"
        for append in tool.appends:
            path = self._inside(append.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(_filled(append.line, arguments) + "\n")
        for one in tool.answers:
            if all(re.fullmatch(text, _shown(arguments.get(key))) for key, text in one.when.items()):
                return _filled(one.answer, arguments)
        return _filled(tool.answer, arguments)

    def _listed(self) -> list[str]:
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())

    def _write(self, name: str, content: str) -> str:
        path = self._inside(name)
        if len(content) > _LARGEST or (not path.exists() and len(self._listed()) >= _MOST):
            return f"error: a file may hold {_LARGEST} characters, and the workspace {_MOST} files"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return f"wrote {len(content)} characters to {name}"

    def _delete(self, name: str) -> str:
        self._inside(name).unlink()
        return f"deleted {name}"

    def _text(self, name: str) -> str | None:
        try:
            return self._inside(name).read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):
            return None

    def _inside(self, name: str) -> Path:
        path = (self.folder / name.lstrip("/")).resolve()
        if path == self.folder or self.folder not in path.parents:
            raise ValueError(f"{name} is not a file of the workspace")
        return path


def _schema(tool: ToolSpec) -> dict[str, Any]:
    return {"type": "object", "properties": {}, **tool.parameters}


def _filled(text: str, arguments: Mapping[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: _shown(arguments.get(found[1], found[0])), text)


def _shown(value: object) -> str:
    return "" if value is None else str(value)
