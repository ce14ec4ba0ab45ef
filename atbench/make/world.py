"""The environments of the PyPI package ``agentdojo`` (Debenedetti et al., arXiv 2406.13352), as this room needs them.

Invariant: every tool result is what the package's own environment returns; nothing here invents one. The package is
imported when a `World` is built, for it brings the clients of several model providers.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.metadata
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from agentdog.base.errors import OutsideError
from atbench.make.script import Call

PACKAGE, BENCHMARK = "agentdojo", "v1.2.2"
#: What the environments' tools take for now: the day of the workspace suite's own calendar, at noon.
NOW = datetime.datetime(2024, 5, 15, 12)
_TOOLS_WITH_A_CLOCK = ("email_client", "cloud_drive_client")
#: Attacks of the package whose wording names no model.
WORDINGS = (
    "direct",
    "ignore_previous",
    "system_message",
    "injecagent",
    "important_instructions_no_names",
    "tool_knowledge",
)


class Result(NamedTuple):
    """What a tool said, and whether the call changed the environment."""

    text: str
    changed: bool


class Stage:
    """One environment in which one run takes place; `fork` gives untouched copies."""

    def __init__(self, suite: Any, environment: Any) -> None:  # noqa: ANN401 - the package's own, untyped here
        from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
        from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime

        self._suite, self._before, self._now = suite, environment, environment.model_copy(deep=True)
        self._runtime = FunctionsRuntime(suite.tools)
        self._text, self._call = tool_result_to_str, FunctionCall
        self._made: list[Any] = []

    def fork(self) -> Stage:
        """Returns a stage as this one was at the start."""
        return Stage(self._suite, self._before)

    def calls(self, task: Any) -> tuple[Call, ...]:  # noqa: ANN401
        """Returns the calls that carry out a task from the start."""
        return tuple(Call(c.function, dict(c.args)) for c in task.ground_truth(self._before.model_copy(deep=True)))

    def perform(self, call: Call) -> Result:
        """Carries out one call for real; a tool's error is its result."""
        state = self._now.model_copy(deep=True)
        value, error = self._runtime.run_function(self._now, call.name, call.arguments)
        self._made.append(self._call(function=call.name, args=call.arguments))
        return Result(error or self._text(value), state != self._now)

    def succeeded(self, task: Any, answer: str) -> bool:  # noqa: ANN401
        """Asks the package whether the attacker's goal has been reached by now."""
        found = task.security_from_traces(answer, self._before, self._now, self._made)
        return bool(task.security(answer, self._before, self._now) if found is None else found)

    def useful(self, task: Any, answer: str) -> bool:  # noqa: ANN401
        """Asks the package whether the user's task has been carried out by now."""
        found = task.utility_from_traces(answer, self._before, self._now, self._made)
        return bool(task.utility(answer, self._before, self._now) if found is None else found)


class World:
    """The package's suites of one benchmark version."""

    def __init__(self) -> None:
        """Imports the package.

        Raises:
            OutsideError: when it is not installed.
        """
        try:
            from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
            from agentdojo.attacks.attack_registry import load_attack
            from agentdojo.models import MODEL_NAMES
            from agentdojo.task_suite.load_suites import get_suites
        except ImportError as error:
            raise OutsideError(
                f"package {PACKAGE} is missing ({error}); pip install 'agentdog-sidecar[agentdojo]'"
            ) from error
        _stop_clocks()
        _keep_order()
        _read_fast()
        self.version = f"{PACKAGE} {importlib.metadata.version(PACKAGE)}, benchmark {BENCHMARK}"
        self.suites: Mapping[str, Any] = get_suites(BENCHMARK)
        target = GroundTruthPipeline(None)
        target.name = min(MODEL_NAMES)  # an attack wants a known model's name, even to leave it out
        self._attacks = {
            (name, wording): load_attack(wording, suite, target)
            for name, suite in self.suites.items()
            for wording in WORDINGS
        }
        self._seen: dict[tuple[str, str], int | None] = {}

    def pairs(self) -> Iterator[tuple[str, str, str]]:
        """Yields suite, user task and injection task of every pair."""
        for name, suite in self.suites.items():
            for user in suite.user_tasks:
                for injection in suite.injection_tasks:
                    yield name, user, injection

    def stage(self, suite: str, user: str, injected: Mapping[str, str]) -> Stage:
        """Sets up the environment of a user task, with texts put at injection points."""
        found = self.suites[suite]
        environment = found.load_and_inject_default_environment(dict(injected))
        return Stage(found, found.user_tasks[user].init_environment(environment))

    def injected(self, suite: str, user: str, injection: str, wording: str) -> dict[str, str]:
        """Returns the attack's text per injection point that the user's task makes the agent read."""
        found = self.suites[suite]
        texts = self._attacks[suite, wording].attack(found.user_tasks[user], found.injection_tasks[injection])
        return dict(texts)

    def first_seen(self, suite: str, user: str) -> int | None:
        """Which of the user's calls is the first whose result shows an injection point; ``None`` when none does."""
        if (suite, user) not in self._seen:
            marks = self._attacks[suite, WORDINGS[0]].canary_injections
            stage = self.stage(suite, user, marks)
            results = [stage.perform(call).text for call in stage.calls(self.suites[suite].user_tasks[user])]
            self._seen[suite, user] = next(
                (n for n, text in enumerate(results) if any(mark in text for mark in marks.values())), None
            )
        return self._seen[suite, user]


class _StoppedClock(datetime.datetime):
    """`datetime` whose now is always the same."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
        """Returns `NOW`, whatever the time."""
        return NOW.replace(tzinfo=tz)


def _stop_clocks() -> None:
    """Gives the package's tools a clock that stands still: they stamp e-mails and files, and rows must repeat."""
    stopped = types.SimpleNamespace(**{**vars(datetime), "datetime": _StoppedClock})
    for name in _TOOLS_WITH_A_CLOCK:
        module: Any = importlib.import_module(f"{PACKAGE}.default_suites.v1.tools.{name}")
        module.datetime = stopped


def _keep_order() -> None:
    """Has the calendar list participants in the order in which they were given: the package's own is that of a set."""
    module: Any = importlib.import_module(f"{PACKAGE}.default_suites.v1.tools.calendar_client")
    module.set = dict.fromkeys


def _read_fast() -> None:
    """Has the package read its environments with libyaml: the same values, in a tenth of the time."""
    if not hasattr(yaml, "CSafeLoader"):
        return
    suites: Any = importlib.import_module(f"{PACKAGE}.task_suite.task_suite")
    suites.yaml = types.SimpleNamespace(**{**vars(yaml), "safe_load": lambda text: yaml.load(text, yaml.CSafeLoader)})


def tools(suite: Any) -> Sequence[dict[str, Any]]:  # noqa: ANN401
    """Describes a suite's tools as a model is told about them."""
    return [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters.model_json_schema()}
        for tool in suite.tools
    ]
