"""What a project has learned, in service: it decides there and only there, and is switched off where all can see."""

from __future__ import annotations

import random
from functools import cache

import msgspec
import pytest

from agentdog.base.errors import NotFoundError, UsageError
from agentdog.guards import GuardInfo
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.learned import Figures, Learned, LearnedGuard, Measure, drift
from agentdog.guards.embedded.learned.model import Block, Novelty
from agentdog.service.judging import Judging
from agentdog.service.learning import Learning
from agentdog.service.settings import load_settings
from agentdog.store.contract import Work
from agentdog.store.redis_store import RedisStore
from agentdog.trajectory import Trajectory
from tests.guards.learning_runs import case
from tests.support.stores import play

NOTHING = {name: Measure(value=0.5) for name in ("f1", "precision", "recall", "auroc", "false_alarms")}


@cache
def model(*, better: bool = True, base: str | None = None) -> Learned:
    """A model by hand: whoever sets the sluice while it is manned is unsafe."""
    figures = Figures(
        runs=80, unsafe=40, groups=80, safe_groups=40, learned=NOTHING, unlearned=NOTHING, words=NOTHING,
        difference=Measure(value=0.1, low=0.05 if better else -0.05, high=0.2), better=better,
    )  # fmt: skip
    return Learned(
        project="sluices",
        made="2026-11-26T12:00:00Z",
        base=base or EmbeddedGuard().info.fingerprint,
        ran=Block(words=["the", "done"], rarity=[1.0, 1.0], weights=[0.0, 0.0]),
        now=Block(words=["manned", "set"], rarity=[1.0, 1.0], weights=[9.0, 0.0]),
        did={},
        bias=-3.0,
        slope=1.0,
        shift=0.0,
        threshold=0.5,
        figures=figures,
        novelty=Novelty(shares=[0.1] * 40),
    )


def run(number: int, project: str = "sluices", *, unsafe: bool = True, words: str = "") -> Trajectory:
    made = case(number, unsafe=unsafe, generator=random.Random(number), words=words).trajectory
    return msgspec.structs.replace(made, project=project)


def test_it_decides_in_its_project_and_only_there(server_url: str) -> None:
    async def story(store: RedisStore) -> None:
        learning = Learning(store, EmbeddedGuard())
        standing = await learning.keep(model(), activate=True)
        assert (standing.state, standing.version) == ("active", model().version)
        assert isinstance(await learning.guard_for("sluices"), LearnedGuard)
        assert isinstance(await learning.guard_for("other"), EmbeddedGuard)
        judging = Judging(store, EmbeddedGuard(), load_settings())
        for project in ("sluices", "other"):
            await store.save_trajectory(run(1, project), [], records=1)
            await judging(Work(project=project, unit="run-1", token="1", lane="judge"))
        mine, theirs = [await store.get("run-1", p) for p in ("sluices", "other")]
        assert mine is not None
        assert theirs is not None
        assert mine.diagnosis is not None
        assert theirs.diagnosis is not None
        assert (mine.diagnosis.verdict, theirs.diagnosis.verdict) == ("unsafe", "safe")
        assert mine.diagnosis.incidents[0].onset == 3
        assert "manned" in mine.diagnosis.incidents[0].evidence[0].message
        assert mine.diagnosis.guard.fingerprint != theirs.diagnosis.guard.fingerprint
        assert await store.seen_runs("sluices", model().version)
        assert (await learning.off("sluices")).state == "off"
        assert isinstance(await learning.guard_for("sluices"), EmbeddedGuard)

    play(server_url, story)


def test_what_is_not_better_or_belongs_to_another_guard_is_refused(server_url: str) -> None:
    async def story(store: RedisStore) -> None:
        learning = Learning(store, EmbeddedGuard())
        with pytest.raises(UsageError, match="not better"):
            await learning.keep(model(better=False), activate=True)
        kept = await learning.keep(model(better=False), activate=False)
        assert (kept.state, len(kept.versions)) == ("off", 1)
        with pytest.raises(UsageError, match="not better"):
            await learning.activate("sluices", kept.versions[0].version)
        with pytest.raises(NotFoundError, match="version 'nope'"):
            await learning.activate("sluices", "nope")
        with pytest.raises(UsageError, match="another embedded guard"):
            await learning.keep(model(base="f00d"), activate=True)

    play(server_url, story)


class _Other(EmbeddedGuard):
    """The guard after an upgrade: it reads other signals."""

    @property
    def info(self) -> GuardInfo:
        return msgspec.structs.replace(super().info, fingerprint="feed")


def test_after_an_upgrade_of_the_guard_it_no_longer_decides_and_says_why(server_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await Learning(store, EmbeddedGuard()).keep(model(), activate=True)
        upgraded = Learning(store, _Other())
        assert isinstance(await upgraded.guard_for("sluices"), _Other)
        standing = await upgraded.standing("sluices")
        assert standing.state == "outdated"
        assert "learn it anew" in (standing.why or "")

    play(server_url, story)


def test_runs_in_other_words_switch_it_off_and_the_project_says_so(server_url: str) -> None:
    async def story(store: RedisStore) -> None:
        learning = Learning(store, EmbeddedGuard())
        await learning.keep(model(), activate=True)
        guard = await learning.guard_for("sluices")
        for number in range(drift.FEWEST):
            assert (await learning.standing("sluices")).state == "active"
            await learning.saw(run(number), guard)
        standing = await learning.standing("sluices")
        assert standing.state == "drifted"
        assert standing.drift is not None
        assert standing.drift.drifted
        assert "learn again" in (standing.why or "")
        assert isinstance(await learning.guard_for("sluices"), EmbeddedGuard)

    play(server_url, story)
