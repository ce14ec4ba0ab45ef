"""What to change: the earliest step at which a check would have stopped an incident, and the rule that does it.

Invariant: a rule that is proposed denies the call it was made for; among those that do, the first wins that denies
nothing which turned out good, in this run and in those of the past that are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentdog.diagnosis import Diagnosis, Incident
from agentdog.policy.candidates import candidates
from agentdog.policy.hooks import Hook, hook_for
from agentdog.policy.load import to_yaml
from agentdog.policy.match import decide, fits
from agentdog.policy.model import EMPTY, Decision, Policy, Rule
from agentdog.policy.past import Call, Trial, calls, try_on
from agentdog.provenance import EffectCatalogue, load_catalogue
from agentdog.trajectory import Trajectory


class Remedy(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What to change, so that one incident does not happen again.

    Attributes:
        incident_id: which incident.
        advice: one sentence for people.
        step: index of the earliest step at which a check would have stopped it; absent where no call can be denied.
        tool: whose call is denied there.
        rule: the rule, as data; absent where no call can be denied.
        policy: the rule as text, to be put under ``rules:`` of the policy file.
        trial: what it would have denied, in this run and in the runs of the past that were looked at.
        in_force: id of the rule of the policy in force that denies that call already.
        hook: how the agent asks before it acts: for its framework where the telemetry tells it.
    """

    incident_id: str
    advice: str
    step: int | None = None
    tool: str | None = None
    rule: Rule | None = None
    policy: str | None = None
    trial: Trial | None = None
    in_force: str | None = None
    hook: Hook | None = None


def propose(
    trajectory: Trajectory,
    diagnosis: Diagnosis,
    past: Sequence[Call] = (),
    *,
    catalogue: EffectCatalogue | None = None,
    policy: Policy = EMPTY,
) -> tuple[Remedy, ...]:
    """Returns what to change for every incident that stands.

    Args:
        trajectory: the run.
        diagnosis: of it.
        past: calls of other runs, which a rule should leave alone where they turned out good.
        catalogue: what tools do.
        policy: the one in force.
    """
    catalogue = catalogue or load_catalogue()
    own = calls(trajectory, diagnosis, catalogue, policy.trusted_tools)
    others = [call for call in past if call.trajectory_id != trajectory.id]
    everything, hook = [*own, *others], hook_for(trajectory)
    return tuple(_of(incident, own, everything, catalogue, policy, hook) for incident in diagnosis.standing)


def _of(
    incident: Incident,
    own: Sequence[Call],
    everything: Sequence[Call],
    catalogue: EffectCatalogue,
    policy: Policy,
    hook: Hook,
) -> Remedy:
    target = _target(incident, own)
    if not target:
        return Remedy(
            incident_id=incident.id,
            advice="No call belongs to this incident: it lies in what the agent says, and a check of calls cannot stop "
            "that. Have a person read the answer before it is used.",
        )
    rule, trial = _best([rule for call in target for rule in candidates(call.pending, catalogue)], everything)
    # Not before the risk came in: what the rule would deny earlier is counted in the trial.
    first = incident.source_step if incident.source_step is not None else -1
    stopped = next(call for call in own if first < call.step <= target[0].step and fits(rule, call.pending))
    ruling = decide(policy, stopped.pending)
    return Remedy(
        incident_id=incident.id,
        advice=_advice(stopped, rule, trial),
        step=stopped.step,
        tool=stopped.pending.call.name,
        rule=rule,
        policy=to_yaml([rule]),
        trial=trial,
        in_force=ruling.id if ruling is not None and ruling.decision is not Decision.ALLOW else None,
        hook=hook,
    )


def _advice(stopped: Call, rule: Rule, trial: Trial) -> str:
    tool = stopped.pending.call.name
    cost = f" It would also have denied {trial.good} calls that turned out good." if trial.good else ""
    return f"A check before step {stopped.step + 1} would have stopped the call to {tool}: {rule.reason}{cost}"


def _target(incident: Incident, own: Sequence[Call]) -> list[Call]:
    """The calls of the step that realised the failure: at the onset, else the first behind it."""
    wanted = [i for i in (incident.onset, incident.realised_step) if i is not None]
    for index in wanted:
        found = [call for call in own if call.step == index]
        if found:
            return found
    later = [call for call in own if call.step > incident.onset]
    return [call for call in later if call.step == later[0].step] if later else []


def _best(rules: Sequence[Rule], everything: Sequence[Call]) -> tuple[Rule, Trial]:
    """The first rule that costs nothing, else the first of those that cost least."""
    tried: list[tuple[Rule, Trial]] = []
    for rule in rules:
        trial = try_on(rule, everything)
        if trial.good == 0:
            return rule, trial
        tried.append((rule, trial))
    return min(tried, key=lambda each: each[1].good)
