"""Files and folders in, what they hold out: telemetry, exports of other tools, transcripts; told apart by content.

Shared by the commands that read files. Invariant: no file is lost without a word; in a folder one that holds nothing of
ours is skipped and listed, a file that was named is an error then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from agentdog.base.errors import AgentDogError, DecodeError, UsageError
from agentdog.spans.document import KNOWN, SUFFIXES, Found, load
from agentdog.spans.records import Record
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats import claude_code


class Sources(msgspec.Struct, kw_only=True):
    """What files and folders held: what was found, what failed and why, what was no business of ours."""

    found: list[Found] = []
    failed: dict[Path, AgentDogError] = {}
    skipped: list[Path] = []

    @property
    def records(self) -> list[Record]:
        """All telemetry, as one set."""
        return [record for found in self.found for record in found.records]

    def raise_first(self) -> None:
        """Raises what failed first, where a command can do nothing with half of its input."""
        for error in self.failed.values():
            raise error

    def trajectories(self, project: str) -> list[Trajectory]:
        """All transcripts' trajectories, in a project."""
        told = (trajectory for found in self.found for trajectory in found.trajectories)
        return [msgspec.structs.replace(trajectory, project=project) for trajectory in told]


def gather(paths: Iterable[Path], seen: Callable[[Path, int], None] = lambda path, left: None) -> Sources:
    """Reads every file among these files and folders, each once.

    Args:
        paths: files, and folders to search.
        seen: is told of each file before it is read, and how many are left with it.

    Raises:
        UsageError: there is no file to read.
    """
    listed = dict(_files(paths))
    if not listed:
        raise UsageError(f"no file to read in {', '.join(map(str, paths))}: give files named {', '.join(SUFFIXES)}")
    sources = Sources()
    for place, (path, named) in enumerate(listed.items()):
        seen(path, len(listed) - place)
        try:
            found = load(path)
        except AgentDogError as error:
            sources.failed[path] = error
            continue
        except OSError as error:
            sources.failed[path] = UsageError(f"{path}: cannot be read: {error.strerror}")
            continue
        except RecursionError:
            sources.failed[path] = DecodeError(f"{path}: nests values too deep")
            continue
        if found is not None:
            sources.found.append(found)
        elif named:
            sources.failed[path] = DecodeError(f"{path}: in no known format; known are {KNOWN}")
        else:
            sources.skipped.append(path)
    return sources


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Yields files and whether they were named; a sub-agent's part of a transcript beside it is read with that one."""
    for path in paths:
        if not path.is_dir():
            yield path, True
            continue
        for folder, _, names in sorted(os.walk(path)):
            for name in sorted(names):
                file = Path(folder, name)
                if name.endswith(SUFFIXES) and not claude_code.belongs_to_another(file):
                    yield file, False
