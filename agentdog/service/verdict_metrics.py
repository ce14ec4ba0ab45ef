"""What workers counted of guards and verdicts, as Prometheus families.

Invariant: labels are projects and words of closed lists, so that there are few series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from agentdog.service.figures import BOUNDS, OPEN
from agentdog.service.settings import JudgeSettings

Figures = Mapping[tuple[str, ...], float]

#: Name among the figures → name of the metric, its words, its labels.
_COUNTERS = {
    "verdicts": ("agentdog_verdicts", "Verdicts given, by result", ("project", "result")),
    "not_evaluated": ("agentdog_not_evaluated", "Verdicts that say why there is none", ("project", "reason")),
    "labelled": ("agentdog_labelled_verdicts", "Verdicts with where, how and what", ("project",)),
    "tokens": ("agentdog_guard_tokens", "Guards' tokens: prompt, of these cached, completion", ("project", "kind")),
    "deliveries": ("agentdog_deliveries", "Tries to tell somebody, by what became of them", ("target", "result")),
    "evaluations_sent": ("agentdog_evaluations_sent", "Verdicts that an OTLP receiver has", ("project",)),
    "deleted": ("agentdog_deleted_records", "Records deleted, by why: age, bytes, request", ("project", "reason")),
    "redacted": ("agentdog_redacted", "Secrets and personal data taken out of telemetry", ("project", "kind")),
    "analyses": ("agentdog_analyses", "Written analyses that were asked for", ("project", "state")),
    "attributions": ("agentdog_attributions", "Attributions that were asked for", ("project", "target", "state")),
    "alerts": ("agentdog_alerts", "Incidents that people were alerted of, or would have been", ("project", "mode")),
}
_HISTOGRAMS = {
    "guard_seconds": ("agentdog_guard_seconds", "From asking a guard to its answer", ()),
    "step_to_verdict_seconds": (
        "agentdog_step_to_verdict_seconds",
        "From the end of a step's span, or from its arrival, to its verdict",
        ("since",),
    ),
}


def verdict_families(figures: Figures, prices: JudgeSettings) -> Iterator[Metric]:
    """Yields every family, those without a value so far included."""
    for name, (metric, words, labels) in _COUNTERS.items():
        family = CounterMetricFamily(metric, words, labels=labels)
        for key, value in figures.items():
            if key[0] == name:
                family.add_metric(key[1:], value)
        yield family
    yield _cost(figures, prices)
    for name, (metric, words, labels) in _HISTOGRAMS.items():
        yield _histogram(figures, name, metric, words, labels)


def costs(figures: Figures, prices: JudgeSettings) -> dict[str, float]:
    """Returns what each project's verdicts cost."""
    tokens: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for key, value in figures.items():
        if key[0] == "tokens":
            tokens[key[1]][key[2]] += value
    return {
        project: prices.cost(kinds["prompt"] - kinds["cached"], kinds["cached"], kinds["completion"])
        for project, kinds in tokens.items()
    }


def _cost(figures: Figures, prices: JudgeSettings) -> Metric:
    family = CounterMetricFamily(
        "agentdog_guard_cost", "Guards' tokens by the prices of judge.price_*", labels=("project",)
    )
    for project, cost in costs(figures, prices).items():
        family.add_metric((project,), cost)
    return family


def _histogram(figures: Figures, name: str, metric: str, words: str, labels: tuple[str, ...]) -> Metric:
    family = HistogramMetricFamily(metric, words, labels=labels)
    for given in sorted({key[1:-1] for key in figures if key[0] == f"{name}_bucket"}):
        total, buckets = 0.0, []
        for bound in (*map(str, BOUNDS), OPEN):
            total += figures.get((f"{name}_bucket", *given, bound), 0.0)
            buckets.append((bound, total))
        family.add_metric(given, buckets, figures.get((f"{name}_sum", *given), 0.0))
    return family
