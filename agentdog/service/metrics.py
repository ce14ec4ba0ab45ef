"""What one process counts of itself, and what the store counts for all, as Prometheus text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from agentdog.service.purse import MINUTE_NS
from agentdog.service.settings import JudgeSettings
from agentdog.service.verdict_metrics import verdict_families
from agentdog.store.contract import Store, Waiting
from agentdog.store.keys import Lane

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of this process; of no use after it, unlike the store's accounting."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "agentdog_otlp_requests",
            "OTLP requests by signal, protocol and answer",
            ("signal", "protocol", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "agentdog_otlp_request_seconds",
            "From the first byte to a durable answer",
            ("signal", "protocol"),
            registry=self.registry,
        )
        self.own_records = Counter(
            "agentdog_otlp_own_records",
            "Spans and log records left out since a sidecar emitted them: some collector sends them back",
            registry=self.registry,
        )
        self.discarded_bytes = Counter(
            "agentdog_otlp_metrics_discarded_bytes", "Metrics payloads accepted and dropped", registry=self.registry
        )

        self.refused = Counter(
            "agentdog_otlp_refused",
            "OTLP requests refused for now, by why: queue, memory, latency, bodies",
            ("reason",),
            registry=self.registry,
        )
        self._checks = Counter(
            "agentdog_checks",
            "Inline checks by decision, by who decided, and by why nobody could",
            ("decision", "by", "not_evaluated"),
            registry=self.registry,
        )
        self._check_seconds = Histogram(
            "agentdog_check_seconds",
            "From the request to the answer of an inline check",
            ("by",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )

    def check(self, decision: str, by: str, not_evaluated: str | None, seconds: float) -> None:
        """Counts one answered check."""
        self._checks.labels(decision, by, not_evaluated or "").inc()
        self._check_seconds.labels(by).observe(seconds)

    def request(self, signal: str, protocol: str, code: str, seconds: float) -> None:
        """Counts one answered request."""
        self._requests.labels(signal, protocol, code).inc()
        self._seconds.labels(signal, protocol).observe(seconds)


@dataclass(frozen=True, slots=True, eq=False)  # a registry keeps it by identity
class StoreFigures:
    """What the store counts, at one moment; it outlives every process, so it is read, not kept.

    Attributes:
        accounting: records by project and outcome.
        waiting: what waits in each lane.
        dead: units given up.
        figures: of the workers, see `agentdog.service.figures`.
        prices: what a guard's tokens cost and may cost.
        spent: tokens that guards computed in the last whole minute, by project.
        now_ns: the moment.
    """

    accounting: Mapping[str, Mapping[str, int]]
    waiting: Mapping[Lane, Waiting]
    dead: int
    figures: Mapping[tuple[str, ...], float]
    prices: JudgeSettings
    now_ns: int
    spent: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    async def of(store: Store, prices: JudgeSettings, now_ns: int) -> StoreFigures:
        """Asks the store."""
        return StoreFigures(
            accounting=await store.accounting(),
            waiting=await store.waiting(),
            dead=len(await store.dead_letters()),
            figures=await store.figures(),
            prices=prices,
            now_ns=now_ns,
            spent=await store.spent(now_ns // MINUTE_NS - 1),
        )

    def collect(self) -> Iterator[Metric]:
        """Yields every family, as a registry asks for them."""
        records = CounterMetricFamily(
            "agentdog_records", "Records by what became of them", labels=("project", "outcome")
        )
        for project, counts in self.accounting.items():
            for outcome, number in counts.items():
                records.add_metric((project, outcome), number)
        yield records
        depth = sum(lane.units for lane in self.waiting.values())
        yield GaugeMetricFamily("agentdog_queue_units", "What waits or is worked on, in all lanes", value=depth)
        yield GaugeMetricFamily("agentdog_dead_letters", "Units given up", value=self.dead)
        yield from self._lanes()
        yield from verdict_families(self.figures, self.prices)
        yield from self._budgets()

    def _budgets(self) -> Iterator[Metric]:
        spent = GaugeMetricFamily(
            "agentdog_guard_tokens_last_minute",
            "Tokens that guards computed in the last whole minute",
            labels=("project",),
        )
        for project, tokens in self.spent.items():
            spent.add_metric((project,), tokens)
        yield spent
        limits = GaugeMetricFamily(
            "agentdog_guard_tokens_per_minute_limit",
            "Tokens that guards may compute in a minute; 0: no bound",
            labels=("of",),
        )
        limits.add_metric(("all",), self.prices.tokens_per_minute)
        limits.add_metric(("project",), self.prices.project_tokens_per_minute)
        yield limits
        shares = GaugeMetricFamily("agentdog_sampled_share", "Share of runs that is judged", labels=("project",))
        for project in sorted(self.accounting):
            shares.add_metric((project,), self.prices.sample.get(project, 1.0))
        yield shares

    def _lanes(self) -> Iterator[Metric]:
        units = GaugeMetricFamily("agentdog_lane_units", "What waits or is worked on, by lane", labels=("lane",))
        later = GaugeMetricFamily(
            "agentdog_lane_later_units", "What is to be looked at again at a time of its own, by lane", labels=("lane",)
        )
        oldest = GaugeMetricFamily(
            "agentdog_oldest_pending_seconds", "Since when the oldest of a lane waits", labels=("lane",)
        )
        for lane, waiting in self.waiting.items():
            units.add_metric((lane,), waiting.units)
            later.add_metric((lane,), waiting.later)
            age = 0.0 if waiting.oldest_ns is None else max(self.now_ns - waiting.oldest_ns, 0) / 1e9
            oldest.add_metric((lane,), age)
        yield units
        yield later
        yield oldest


def render(metrics: Metrics, figures: StoreFigures) -> bytes:
    """Writes this process's metrics and the store's in Prometheus' text format."""
    shared = CollectorRegistry()
    shared.register(figures)
    return generate_latest(metrics.registry) + generate_latest(shared)
