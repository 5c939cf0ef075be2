"""What one process counts about itself, and how Prometheus reads it.

Counting is plain Python on ints and lists (`OperationMetrics.observe`); nothing of prometheus_client lies on the
path of a request. Everything else is read when somebody scrapes: `gauge` and `counter` register callables. One
process may hold several regions (`kvorum dev`), so every sample bears the labels of its `Scope`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

LATENCY_BOUNDS_SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_BUCKETS = [*(str(bound) for bound in LATENCY_BOUNDS_SECONDS), "+Inf"]

SCOPE_LABELS = ("region", "process")

Sample = tuple[tuple[str, ...], float]
"""Label values, in the order of the names given at registration, and the value."""

Read = Callable[[], Iterable[Sample]]


class OperationMetrics:
    """Requests of one operation: how many by outcome, and how long they took."""

    __slots__ = ("buckets", "outcomes", "seconds")

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.buckets = [0] * len(
            _BUCKETS
        )  # not cumulative; the last one is for what is slower than all bounds
        self.seconds = 0.0

    def observe(self, outcome: str, seconds: float) -> None:
        """`outcome`: "ok", or the short name of the error that was answered."""
        outcomes = self.outcomes
        try:
            outcomes[outcome] += 1
        except KeyError:
            outcomes[outcome] = 1
        self.buckets[bisect_left(LATENCY_BOUNDS_SECONDS, seconds)] += 1
        self.seconds += seconds


class _Family:
    """One name with its readers, one for each scope that registered it."""

    def __init__(
        self, kind: type[GaugeMetricFamily | CounterMetricFamily], text: str, labels: tuple[str, ...]
    ):
        self.kind = kind
        self.text = text
        self.labels = labels
        self.readers: list[tuple[tuple[str, str], Read]] = []


class Scope:
    """The metrics of one router or node of one region."""

    def __init__(self, registry: Metrics, region: str, process: str) -> None:
        self.labels = (region, process)
        self.operations: dict[str, OperationMetrics] = {}
        self._registry = registry

    def operation(self, name: str) -> OperationMetrics:
        """The counters of an operation: get them once and keep them."""
        metrics = self.operations.get(name)
        if metrics is None:
            metrics = self.operations[name] = OperationMetrics()
        return metrics

    def gauge(self, name: str, text: str, read: Read, labels: tuple[str, ...] = ()) -> None:
        """`read` gives the current samples when somebody scrapes; `text` says what they are, unit included."""
        self._registry.register(GaugeMetricFamily, name, text, labels, self.labels, read)

    def counter(self, name: str, text: str, read: Read, labels: tuple[str, ...] = ()) -> None:
        """Like `gauge`, for what only grows; `name` without the `_total` that Prometheus wants behind it."""
        self._registry.register(CounterMetricFamily, name, text, labels, self.labels, read)


class Metrics(Collector):
    """Everything that this process shows."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}
        self._scopes: list[Scope] = []
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(self)

    def scope(self, region: str, process: str) -> Scope:
        scope = Scope(self, region, process)
        self._scopes.append(scope)
        return scope

    def register(
        self,
        kind: type[GaugeMetricFamily | CounterMetricFamily],
        name: str,
        text: str,
        labels: tuple[str, ...],
        scope_labels: tuple[str, str],
        read: Read,
    ) -> None:
        """Called by scopes. One name means one thing: another kind or other labels raise ValueError."""
        family = self._families.setdefault(name, _Family(kind, text, labels))
        if (family.kind, family.labels) != (kind, labels):
            raise ValueError(f"{name} is registered as something else")
        family.readers.append((scope_labels, read))

    def render(self) -> bytes:
        """The body of /metrics, in the format that CONTENT_TYPE names."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: what a process shows is known when it is scraped."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client, at every scrape."""
        yield from self._collect_requests()
        for name, family in self._families.items():
            metric = family.kind(name, family.text, labels=(*SCOPE_LABELS, *family.labels))
            for scope_labels, read in family.readers:
                for labels, value in read():
                    metric.add_metric((*scope_labels, *labels), value)
            yield metric

    def _collect_requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "kvorum_requests",
            "Requests answered, by outcome.",
            labels=(*SCOPE_LABELS, "operation", "outcome"),
        )
        latency = HistogramMetricFamily(
            "kvorum_request_seconds", "Time from request to answer.", labels=(*SCOPE_LABELS, "operation")
        )
        for scope in self._scopes:
            for name, operation in scope.operations.items():
                for outcome, count in operation.outcomes.items():
                    requests.add_metric((*scope.labels, name, outcome), count)
                buckets = list(zip(_BUCKETS, accumulate(operation.buckets), strict=True))
                latency.add_metric((*scope.labels, name), buckets, operation.seconds)
        yield requests
        yield latency
