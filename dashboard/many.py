"""One thing done for many runs through the API: what failed is told by run with why, and the rest is done anyway."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from agentdog.client import Client, ClientError, wording

T = TypeVar("T")
Word = Literal["approve", "dismiss", "confirm"]
Form = Literal["jsonl", "json"]


class Chosen(NamedTuple):
    """A run that was chosen."""

    title: str
    project: str


class Failure(NamedTuple):
    """A run that it did not work for, and why."""

    title: str
    why: str


class Done(NamedTuple):
    """Where it did not work, and what came of the rest, by id."""

    failed: list[Failure]
    found: dict[str, Any]


def each(runs: Mapping[str, Chosen], act: Callable[[str, Chosen], T], tick: Callable[[int], object]) -> Done:
    """Does something for every run; `tick` is told how many are done."""
    done = Done([], {})
    for at, (run, of) in enumerate(runs.items()):
        tick(at)
        try:
            done.found[run] = act(run, of)
        except ClientError as error:
            done.failed.append(Failure(of.title, wording.visible(str(error))))
    return done


def say(api: Client, run: str, of: Chosen, word: Word, author: str, note: str | None) -> bool:
    """Says one thing of a run; False where there was nothing to say it of: no incident is open."""
    if word == "approve":
        api.review(run, "approve", author=author, note=note, project=of.project)
        return True
    incidents = api.view(run, first=0, count=1).get("incidents", [])
    waiting = [incident for incident in incidents if incident.get("state", "open") == "open"]
    for incident in waiting:
        api.review(run, word, author=author, incident_id=incident["id"], note=note, project=of.project)
    return bool(waiting)


def export(api: Client, run: str, of: Chosen, form: Form) -> Any:  # noqa: ANN401 - JSON of either schema
    """Returns a run as a row of ATBench's schema, or as all that is known of it."""
    return api.export(run) if form == "jsonl" else api.trajectory(run, project=of.project)


def file_of(found: Sequence[Any], form: Form) -> bytes:
    """Writes what was exported: one line each, or one array."""
    lines = [json.dumps(one, ensure_ascii=False) for one in found]
    text = "".join(f"{line}\n" for line in lines) if form == "jsonl" else f"[{', '.join(lines)}]"
    return text.encode("utf-8", "replace")
