"""What is learned from reviews: it is better or refused, keeps its promise, explains itself, and is plain data."""

from __future__ import annotations

import asyncio
import json
import random
from functools import cache
from pathlib import Path

import msgspec
import pytest

from agentdog.base.errors import UsageError
from agentdog.guards import Outcome, Verdict, factory
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.learned import Learned, LearnedGuard, decode, drift, encode
from agentdog.guards.embedded.learned.alike import grouped
from agentdog.guards.embedded.learned.honest import split
from agentdog.guards.embedded.learned.learn import examples_of, learn
from agentdog.trajectory import Header, Trajectory
from tests.guards.learning_runs import case, cases

pytest.importorskip("sklearn", reason="extra `learn` is not installed")
NOW = "2026-11-26T12:00:00Z"


@cache
def model() -> Learned:
    return learn(cases(80), EmbeddedGuard(), project="sluices", made=NOW, false_alarm=0.05)


def judged(guard: EmbeddedGuard | LearnedGuard, trajectory: Trajectory) -> list[Verdict]:
    session, found = guard.open(Header.of(trajectory)), []
    for step in trajectory.steps:
        session.extend(step)
        found.append(asyncio.run(session.verdict()))
    return found


def fresh(number: int, *, unsafe: bool) -> Trajectory:
    return case(number, unsafe=unsafe, generator=random.Random(number)).trajectory


def test_what_is_learned_beats_the_guard_without_it_and_says_by_how_much() -> None:
    figures = model().figures
    assert figures.better
    assert (figures.runs, figures.unsafe, figures.groups, figures.safe_groups) == (80, 40, 80, 40)
    learned, unlearned = figures.learned["f1"].value, figures.unlearned["f1"].value
    assert learned is not None
    assert unlearned is not None
    assert learned > 0.9 > unlearned
    assert figures.difference.low is not None
    assert figures.difference.low > 0


def test_it_decides_step_by_step_and_names_what_weighs() -> None:
    guard = LearnedGuard(EmbeddedGuard(), model())
    bad = judged(guard, fresh(901, unsafe=True))
    good = judged(guard, fresh(902, unsafe=False))
    assert [v.outcome for v in bad][:3] == [Outcome.SAFE] * 3
    assert all(v.outcome is Outcome.UNSAFE for v in bad[3:])
    assert all(v.outcome is Outcome.SAFE for v in good)
    evidence = bad[-1].evidence[0]
    assert (evidence.detector, evidence.step) == ("learned", 3)
    assert "manned" in evidence.message
    assert "without what was learned: safe" in (bad[-1].detail or "")


def test_a_copied_session_goes_its_own_way_and_both_answer_as_one_from_the_start() -> None:
    guard, steps = LearnedGuard(EmbeddedGuard(), model()), fresh(903, unsafe=True).steps
    whole = judged(guard, fresh(903, unsafe=True))
    session = guard.open(Header.of(fresh(903, unsafe=True)))
    for step in steps[:3]:
        session.extend(step)
    twin = session.fork()
    for step in steps[3:]:
        twin.extend(step)
    assert asyncio.run(session.verdict()).p_unsafe == whole[2].p_unsafe
    assert asyncio.run(twin.verdict()).p_unsafe == whole[-1].p_unsafe


def test_the_file_is_plain_json_and_comes_back_the_same() -> None:
    data = encode(model())
    assert json.loads(data)["schema"] == "agentdog.learned/1"
    again = decode(data)
    assert again == model()
    assert again.version == model().version


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("bias", "much", "bias"),
        ("threshold", 2.0, "threshold"),
        ("did", None, "did"),
        ("ran", {"words": ["a"], "rarity": [], "weights": []}, "lengths"),
    ],
)
def test_a_damaged_file_is_refused_by_its_field(field: str, value: object, said: str) -> None:
    damaged = json.loads(encode(model())) | {field: value}
    with pytest.raises(UsageError, match=said):
        decode(json.dumps(damaged).encode())


def test_another_version_is_another_guard() -> None:
    other = msgspec.structs.replace(model(), bias=model().bias + 1)
    guards = [LearnedGuard(EmbeddedGuard(), m) for m in (model(), other)]
    assert guards[0].info.fingerprint != guards[1].info.fingerprint != EmbeddedGuard().info.fingerprint


def test_too_few_reviews_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(UsageError, match=r"needed are 10 safe ones \(4 are there\) and 10 unsafe ones"):
        learn(cases(8), EmbeddedGuard(), project="p", made=NOW)
    with pytest.raises(UsageError, match=r"false-alarm 0\.01: 100 safe runs"):
        learn(cases(80), EmbeddedGuard(), project="p", made=NOW, false_alarm=0.01)
    with pytest.raises(UsageError, match="between 0 and 1"):
        learn(cases(80), EmbeddedGuard(), project="p", made=NOW, false_alarm=5)


def test_labels_by_chance_are_not_better() -> None:
    generator = random.Random(7)
    mixed = [msgspec.structs.replace(c, label=generator.randrange(2), unsafe_step=None) for c in cases(60)]
    figures = learn(mixed, EmbeddedGuard(), project="p", made=NOW).figures
    auroc = figures.learned["auroc"].value
    assert auroc is not None
    assert 0.2 < auroc < 0.8


def test_requests_that_are_nearly_the_same_never_stand_in_two_folds() -> None:
    base = cases(30)
    twins = [
        msgspec.structs.replace(c, group=f"other-{n}", trajectory=msgspec.structs.replace(c.trajectory, id=f"twin-{n}"))
        for n, c in enumerate(base)
    ]
    groups = grouped([(c.group, c.trajectory) for c in base + twins])
    assert groups[:30] == groups[30:]
    assert len(set(groups)) == 30
    for train, test in split(examples_of(base + twins, EmbeddedGuard()), seed=1):
        assert not {e.group for e in train} & {e.group for e in test}


def test_runs_in_other_words_are_drift_and_more_of_the_same_are_not() -> None:
    before = model().novelty.shares
    assert not drift.test(before, before[: drift.FEWEST - 1]).drifted
    assert not drift.test(before, before).drifted
    found = drift.test(before, [0.9] * drift.FEWEST)
    assert found.drifted
    assert found.new == 0.9


def test_a_uri_names_a_file_and_a_model_of_other_signals_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(encode(model()))
    guard = factory.build(f"embedded?learned={path}")
    assert isinstance(guard, LearnedGuard)
    with pytest.raises(UsageError, match="learn it anew"):
        factory.build(f"embedded?learned={path}&trusted_tools=inspect_site")
    with pytest.raises(UsageError, match="No such file"):
        factory.build("embedded?learned=/nowhere.json")
    with pytest.raises(UsageError, match="options are effects"):
        factory.build("embedded?colour=blue")
