"""A pack of scenarios: tasks, each told in several ways, where they are carried out, and what breaks the rules.

In the manner of ODCV-Bench (an agent under the pressure of a figure that it is measured by): the *mandated* telling
orders the figure, the *incentivised* one only rewards it. What was done decides what is a violation, not a model.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from agentdog.base.errors import DecodeError, NotFoundError, UsageError

SHIPPED = "kpi-pressure"
FILE_TOOLS = ("list_files", "read_file", "write_file", "delete_file")


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tool answers when its arguments are like these (each an expression that the whole value must match)."""

    when: dict[str, str]
    answer: str


class Append(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line that a tool adds to a file."""

    file: str
    line: str


class ToolSpec(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """A tool with scripted results; ``{name}`` in a text stands for the argument of that name.

    Attributes:
        parameters: JSON Schema of its arguments, an object.
        answer: its result, unless one of `answers` fits.
        appends: lines that it adds to files.
    """

    name: str
    description: str
    parameters: dict[str, Any] = {}
    answer: str
    answers: tuple[Answer, ...] = ()
    appends: tuple[Append, ...] = ()


class Condition(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """Something that holds of a finished run; one of `called`, `changed`, `file` and `says`.

    Attributes:
        what: in a few words, for reports.
        called: a tool, with arguments that match `where` (each an expression for the whole value).
        changed: a file of the start that is not as it was, or gone.
        file: a file whose text `matches` an expression, or `lacks` what matches it.
        says: an expression for the agent's last words.
    """

    what: str
    called: str | None = None
    where: dict[str, str] = {}
    changed: str | None = None
    file: str | None = None
    matches: str | None = None
    lacks: str | None = None
    says: str | None = None

    def __post_init__(self) -> None:
        """Holds that it asks for one thing, in expressions that can be read."""
        kinds = [name for name in ("called", "changed", "file", "says") if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError(f"condition {self.what!r}: give exactly one of called, changed, file and says")
        if (self.file is not None) != ((self.matches is None) != (self.lacks is None)):
            raise ValueError(f"condition {self.what!r}: file goes with one of matches and lacks")
        for text in (*self.where.values(), self.matches, self.lacks, self.says):
            _expression(text, self.what)


class Act(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a scripted agent: a call, or its last words."""

    call: str | None = None
    arguments: dict[str, Any] = {}
    say: str | None = None


class Task(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """One task.

    Attributes:
        system: the agent's role and the rules that hold.
        task: what the user asks for, in every telling.
        variants: name of a telling → what the user adds in it.
        files: path → text, as they lie in the run's own folder at the start.
        file_tools: which of the tools for files are offered.
        tools: further tools, with scripted results.
        violation: what breaks the rules; any of them makes the run a violation.
        done: what the task was to bring about; all of them.
        plays: scripted agents by name; ``honest`` must break no rule, every other one must (`--self-test`).
    """

    id: str
    title: str
    system: str
    task: str
    variants: dict[str, str]
    files: dict[str, str] = {}
    file_tools: tuple[str, ...] = FILE_TOOLS
    tools: tuple[ToolSpec, ...] = ()
    violation: tuple[Condition, ...]
    done: tuple[Condition, ...] = ()
    plays: dict[str, tuple[Act, ...]] = {}

    def __post_init__(self) -> None:
        """Holds that every name in it is known."""
        if not self.variants:
            raise ValueError(f"task {self.id}: variants must hold one telling or more")
        if unknown := set(self.file_tools) - set(FILE_TOOLS):
            raise ValueError(
                f"task {self.id}: file_tools {', '.join(sorted(unknown))}; known are {', '.join(FILE_TOOLS)}"
            )
        tools = {*self.file_tools, *(tool.name for tool in self.tools)}
        for condition in (*self.violation, *self.done):
            if condition.called is not None and condition.called not in tools:
                raise ValueError(
                    f"task {self.id}: {condition.what!r} looks for a call of {condition.called}, which is no tool"
                )
            if condition.changed is not None and condition.changed not in self.files:
                raise ValueError(f"task {self.id}: {condition.what!r}: {condition.changed} is not among files")
        for name in self.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"task {self.id}: file {name!r} must be a path inside the run's folder")
        for tool in self.tools:
            for one in tool.answers:
                for text in one.when.values():
                    _expression(text, tool.name)


class Pack(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """Tasks under a name; `about` says where they are from."""

    name: str
    about: str = ""
    tasks: tuple[Task, ...]

    def __post_init__(self) -> None:
        """Holds that there are tasks, each with a name of its own."""
        names = [task.id for task in self.tasks]
        if not names:
            raise ValueError("tasks must hold one or more")
        if len(set(names)) < len(names):
            raise ValueError(f"tasks must have ids of their own; twice there is {max(names, key=names.count)}")


def load(place: str) -> tuple[Pack, str]:
    """Reads a pack, shipped under its name or of yours by its path; returns it with the SHA-256 of its bytes.

    Raises:
        NotFoundError: there is none.
        DecodeError: naming the field that does not fit.
    """
    shipped = files("atbench.scenarios").joinpath("data", f"{place}.yaml")
    source = shipped if re.fullmatch(r"[\w-]+", place) and shipped.is_file() else Path(place)
    try:
        raw = source.read_bytes()
        return msgspec.yaml.decode(raw, type=Pack), hashlib.sha256(raw).hexdigest()
    except OSError as error:
        raise NotFoundError(f"pack {place}: {error.strerror}; {SHIPPED} is shipped, others are YAML files") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DecodeError(f"pack {place}: {error}") from error


def chosen(pack: Pack, names: tuple[str, ...]) -> tuple[Task, ...]:
    """Returns the tasks named, or all; raises `UsageError` for a name that is none."""
    known = {task.id: task for task in pack.tasks}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"pack {pack.name} has no task {', '.join(unknown)}; it has {', '.join(known)}")
    return tuple(known[name] for name in names) or pack.tasks


def _expression(text: str | None, what: str) -> None:
    try:
        re.compile(text or "")
    except re.error as error:
        raise ValueError(f"{what!r}: {text!r} is no regular expression ({error})") from error
