"""What one process counts of itself, and what the store counts for all, as Prometheus text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

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
        self.discarded_bytes = Counter(
            "agentdog_otlp_metrics_discarded_bytes", "Metrics payloads accepted and dropped", registry=self.registry
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


class _StoreFigures:
    """The store's counters at one moment; they outlive every process, so they are read, not kept."""

    def __init__(self, accounting: Mapping[str, Mapping[str, int]], depth: int, dead: int) -> None:
        self._accounting = accounting
        self._depth = depth
        self._dead = dead

    def collect(self) -> Iterator[Metric]:
        records = CounterMetricFamily(
            "agentdog_records", "Records by what became of them", labels=("project", "outcome")
        )
        for project, counts in self._accounting.items():
            for outcome, number in counts.items():
                records.add_metric((project, outcome), number)
        yield records
        yield GaugeMetricFamily("agentdog_queue_units", "Changed units that wait or are worked on", value=self._depth)
        yield GaugeMetricFamily("agentdog_dead_letters", "Units given up", value=self._dead)


def render(metrics: Metrics, accounting: Mapping[str, Mapping[str, int]], depth: int, dead: int) -> bytes:
    """Writes this process's metrics and the store's in Prometheus' text format."""
    shared = CollectorRegistry()
    shared.register(_StoreFigures(accounting, depth, dead))
    return generate_latest(metrics.registry) + generate_latest(shared)
