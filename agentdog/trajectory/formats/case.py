"""One row of a data set: a trajectory with what its annotators say about it.

Invariant: reading loses no row and invents no label; what a file does not say is ``None``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agentdog.trajectory.model import Trajectory


class Gold(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The annotators' labels per axis, spelled as the file spells them (many sets have their own vocabulary)."""

    risk_source: str | None = None
    failure_mode: str | None = None
    real_world_harm: str | None = None


class Case(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="schema", tag="agentdog.case/1"):
    """One trajectory and its annotation; its JSON is our own schema for labelled rows.

    Attributes:
        trajectory: what the agent did; its id is unique within the file.
        label: 1 unsafe, 0 safe, ``None`` unlabelled.
        gold: labels per axis; a safe row may carry its scenario's, so they never imply that a row is unsafe.
        unsafe_step: index of the step that goes wrong, where the set is labelled by step.
        onset_from: index of the first step that announces or prepares it, where the set says; at most `unsafe_step`.
        severity: how grave the set's judges put it, on the set's own ordinal scale, where it has one.
        doubt: what makes the label one that the set itself does not vouch for: ``ambiguous`` (annotators may well
            differ: ASSEBench's mark, TS-Bench's middle score) or ``never_reached`` (the risky point was not come to).
        closing: whether the last agent turn only ends the run, as the file's own notation of actions tells it.
        variant: which telling of its scenario it is, where the set tells one task in several ways (ODCV-Bench:
            ``mandated``, ``incentivized``).
        group: rows of one group share a scenario; splits and resampling go by group.
        source: name of the set.
    """

    trajectory: Trajectory
    label: int | None = None
    gold: Gold = Gold()
    unsafe_step: int | None = None
    onset_from: int | None = None
    severity: float | None = None
    doubt: Literal["ambiguous", "never_reached"] | None = None
    closing: bool | None = None
    variant: str | None = None
    group: str
    source: str
