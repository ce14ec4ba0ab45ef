"""What guards may cost and did cost, per project: tokens a minute, share of steps diagnosed, sample, price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from agentdog.guards import Reason
from agentdog.service.purse import MINUTE_NS
from agentdog.service.settings import JudgeSettings
from agentdog.service.verdict_metrics import costs
from agentdog.store.contract import Store


class Budget(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One project. Tokens are computed ones: prompt tokens that no cache held, and what guards wrote.

    Attributes:
        tokens_this_minute: spent in the minute that runs.
        tokens_last_minute: in the last whole one.
        tokens_per_minute: that may be; absent: no bound of its own.
        sample: share of runs that is judged.
        verdicts: given so far.
        labelled: of these, with where, how and what.
        labelled_share: of the verdicts that were evaluated.
        over_budget: how often nothing was asked since a budget was spent.
        not_sampled: how often since the sample leaves the run out.
        cost: by the settings' prices.
    """

    project: str
    tokens_this_minute: int
    tokens_last_minute: int
    tokens_per_minute: int | None = None
    sample: float
    verdicts: int
    labelled: int
    labelled_share: float | None = None
    over_budget: int
    not_sampled: int
    cost: float


class Budgets(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Every project, and all together.

    Attributes:
        diagnose: whose labels are asked for, and `diagnose_share` of how many of those.
        tokens_this_minute: of all projects; `tokens_per_minute` is what may be, absent where there is no bound.
    """

    items: tuple[Budget, ...]
    diagnose: str
    diagnose_share: float
    tokens_this_minute: int
    tokens_last_minute: int
    tokens_per_minute: int | None = None


async def read(store: Store, limits: JudgeSettings, projects: Iterable[str], now_ns: int) -> Budgets:
    """Reads what was spent, of these projects and in total."""
    minute = now_ns // MINUTE_NS
    now, last, figures = await store.spent(minute), await store.spent(minute - 1), await store.figures()
    paid = costs(figures, limits)

    def budget(project: str) -> Budget:
        given = {key[2]: int(n) for key, n in figures.items() if key[:2] == ("verdicts", project)}
        evaluated = sum(n for outcome, n in given.items() if outcome != "not_evaluated")
        labelled = int(figures.get(("labelled", project), 0))
        return Budget(
            project=project,
            tokens_this_minute=now.get(project, 0),
            tokens_last_minute=last.get(project, 0),
            tokens_per_minute=limits.project_tokens_per_minute or None,
            sample=limits.sample.get(project, 1.0),
            verdicts=sum(given.values()),
            labelled=labelled,
            labelled_share=round(labelled / evaluated, 4) if evaluated else None,
            over_budget=_reason(figures, project, Reason.OVER_BUDGET),
            not_sampled=_reason(figures, project, Reason.NOT_SAMPLED),
            cost=round(paid.get(project, 0.0), 6),
        )

    return Budgets(
        items=tuple(budget(project) for project in projects),
        diagnose=limits.diagnose,
        diagnose_share=limits.diagnose_share,
        tokens_this_minute=sum(now.values()),
        tokens_last_minute=sum(last.values()),
        tokens_per_minute=limits.tokens_per_minute or None,
    )


def _reason(figures: Mapping[tuple[str, ...], float], project: str, reason: Reason) -> int:
    return int(figures.get(("not_evaluated", project, reason.value), 0))
