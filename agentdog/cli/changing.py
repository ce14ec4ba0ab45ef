"""What to change, in words on a terminal; what `agentdog show`, `judge` and `fix` share."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding

from agentdog.cli.remote import plain
from agentdog.client import wording
from agentdog.client.shapes import Remedy, Trial

_SHOWN = 5


def print_remedy(console: Console, remedy: Remedy, *, hook: bool = False) -> None:
    """Prints one remedy; with its hook where wanted."""
    console.print(plain(f"◆ What to change: {remedy['advice']}", "bold"))
    if "policy" not in remedy:
        return
    if "in_force" in remedy:
        console.print(_indented(f"The rule {remedy['in_force']} is in force and denies that call already."))
    _code(console, remedy["policy"], 2)
    if "trial" in remedy:
        _trial(console, remedy["trial"])
    if hook and "hook" in remedy:
        console.print(_indented(f"The agent asks before it acts (hook {remedy['hook']['name']}):"))
        _code(console, remedy["hook"]["snippet"], 4)


def _trial(console: Console, trial: Trial) -> None:
    denied = trial["bad"] + trial["good"] + trial["open"]
    looked = f"{wording.plural(trial['calls'], 'call')} of {wording.plural(trial['runs'], 'run')}"
    parts = [f"{trial['bad']} at or after an incident", f"{trial['good']} that turned out good"]
    if trial["open"]:
        parts.append(f"{trial['open']} nobody could judge")
    console.print(_indented(f"Of the {looked}, this one included, it denies {denied}: {', '.join(parts)}."))
    for call in [each for each in trial["denied"] if each["known"] != "bad"][:_SHOWN]:
        where = f"{call['trajectory_id']} step {call['step'] + 1}"
        console.print(_indented(f"- {call['tool']} in {where} ({call['known']}): {call['title']}", 4))


def _code(console: Console, text: str, columns: int) -> None:
    """Prints what people copy: no line is broken to fit the terminal."""
    lines = "\n".join(" " * columns + line for line in text.rstrip().splitlines())
    console.print(plain(lines, "cyan"), soft_wrap=True)


def _indented(text: str, columns: int = 2) -> Padding:
    return Padding(plain(text), (0, 0, 0, columns), expand=False)
