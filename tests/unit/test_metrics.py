"""What /metrics says is what happened, for every region of the process."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from kvorum.control.metrics import LATENCY_BOUNDS_SECONDS, Metrics, OperationMetrics


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def labels(**pairs: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairs.items())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ok", "ValidationException", "InternalServerError"]),
            st.one_of(st.floats(0, 20), st.sampled_from(LATENCY_BOUNDS_SECONDS)),
        )
    )
)
def test_observations_are_counted_by_outcome_and_by_bucket(observations: list[tuple[str, float]]) -> None:
    operation = OperationMetrics()
    for outcome, seconds in observations:
        operation.observe(outcome, seconds)
    assert operation.outcomes == Counter(outcome for outcome, _ in observations)
    for place, bound in enumerate(LATENCY_BOUNDS_SECONDS):
        assert sum(operation.buckets[: place + 1]) == sum(seconds <= bound for _, seconds in observations)
    assert sum(operation.buckets) == len(observations)
    assert operation.seconds == pytest.approx(sum(seconds for _, seconds in observations))


def test_requests_are_shown_with_the_region_that_answered_them() -> None:
    metrics = Metrics()
    for region, count in (("eu", 2), ("us", 3)):
        operation = metrics.scope(region, "router-1").operation("GetItem")
        for _ in range(count):
            operation.observe("ok", 0.003)
    shown = samples(metrics)
    for region, count in (("eu", 2), ("us", 3)):
        where = {"region": region, "process": "router-1", "operation": "GetItem"}
        assert shown["kvorum_requests_total", labels(**where, outcome="ok")] == count
        assert shown["kvorum_request_seconds_bucket", labels(**where, le="0.0025")] == 0
        assert shown["kvorum_request_seconds_bucket", labels(**where, le="0.005")] == count
        assert shown["kvorum_request_seconds_bucket", labels(**where, le="+Inf")] == count
        assert shown["kvorum_request_seconds_count", labels(**where)] == count
        assert shown["kvorum_request_seconds_sum", labels(**where)] == pytest.approx(0.003 * count)


def test_an_operation_has_one_set_of_counters() -> None:
    scope = Metrics().scope("eu", "router-1")
    assert scope.operation("PutItem") is scope.operation("PutItem")


def test_gauges_are_read_at_the_scrape() -> None:
    metrics = Metrics()
    positions = {"1": 5.0, "2": 7.0}
    for region in ("eu", "us"):
        metrics.scope(region, "node-1").gauge(
            "kvorum_commit_index",
            "Newest committed entry.",
            lambda: [((partition,), value) for partition, value in positions.items()],
            ("partition",),
        )
    positions["2"] = 8.0
    shown = samples(metrics)
    for region in ("eu", "us"):
        for partition, value in positions.items():
            where = labels(region=region, process="node-1", partition=partition)
            assert shown["kvorum_commit_index", where] == value
    assert metrics.render().count(b"# TYPE kvorum_commit_index gauge") == 1


def test_counters_end_in_total() -> None:
    metrics = Metrics()
    metrics.scope("eu", "node-1").counter(
        "kvorum_fsyncs", "Times the log was made durable.", lambda: [((), 4)]
    )
    assert samples(metrics)["kvorum_fsyncs_total", labels(region="eu", process="node-1")] == 4


def test_one_name_means_one_thing() -> None:
    scope = Metrics().scope("eu", "node-1")
    scope.gauge("kvorum_thing", "A thing.", list)
    with pytest.raises(ValueError, match="kvorum_thing"):
        scope.counter("kvorum_thing", "Another thing.", list)
    with pytest.raises(ValueError, match="kvorum_thing"):
        scope.gauge("kvorum_thing", "A thing.", list, ("partition",))


def test_the_process_shows_itself() -> None:
    assert samples(Metrics())["python_gc_collections_total", labels(generation="0")] >= 0
