"""What a node and a router show at /metrics beyond their requests: each line read at scrape time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kvorum.cli.assembly import NodeHost
from kvorum.control.metrics import Sample, Scope
from kvorum.node.store import Store
from kvorum.router.router import Router

_NODE_BY_PARTITION = ("partition",)
_BY_PEER = ("peer",)
_BY_INDEX = ("table", "index")


def expose_node(scope: Scope, host: NodeHost, store: Store) -> None:
    """The host's current node, whichever that is."""

    def replicas(field: str) -> Iterable[Sample]:
        for group, replica in host.node.engine.replicas.items():
            yield (str(group),), float(getattr(replica.core, field))

    def lags(*, of_indexes: bool) -> Iterable[Sample]:
        slowest: dict[tuple[str, ...], int] = {}
        for report in host.node.senders.reports():
            if of_indexes is bool(report.index):
                labels = (report.table, report.index) if of_indexes else (report.region,)
                slowest[labels] = max(slowest.get(labels, 0), report.lag_ms)
        return [(labels, lag_ms / 1000) for labels, lag_ms in slowest.items()]

    def by_index(counts: Mapping[int, int]) -> Iterable[Sample]:
        for index_id, count in counts.items():
            known = host.node.directory.indexes_by_id.get(index_id)
            if known is not None:
                table, index = known
                yield (table.name, index.name), float(count)

    def refused() -> Iterable[Sample]:
        counts: dict[int, int] = {}
        for partition in host.node.partitions.values():
            for index_id, count in partition.pressure.refused.items():
                counts[index_id] = counts.get(index_id, 0) + count
        return by_index(counts)

    def lost_merges() -> Iterable[Sample]:
        yield (), float(sum(partition.lost_merges for partition in host.node.partitions.values()))

    scope.gauge(
        "kvorum_commit_index",
        "Newest committed log entry of a partition's group (partition 0: the control group).",
        lambda: replicas("commit_index"),
        _NODE_BY_PARTITION,
    )
    scope.gauge(
        "kvorum_applied_index",
        "Newest log entry whose effect is in the store.",
        lambda: replicas("applied_index"),
        _NODE_BY_PARTITION,
    )
    scope.gauge("kvorum_term", "Raft term of the group.", lambda: replicas("term"), _NODE_BY_PARTITION)
    scope.gauge(
        "kvorum_leads",
        "1 when this replica leads its group.",
        lambda: replicas("is_leader"),
        _NODE_BY_PARTITION,
    )
    scope.counter(
        "kvorum_fsyncs", "Group commits: one fsync each.", lambda: [((), float(host.node.engine.syncs))]
    )
    scope.counter(
        "kvorum_fsync_seconds",
        "Time that group commits took.",
        lambda: [((), host.node.engine.sync_seconds)],
    )
    scope.counter(
        "kvorum_store_writes",
        "Batches written to the store.",
        lambda: [((), float(host.node.engine.writes))],
    )
    scope.gauge(
        "kvorum_region_lag_seconds",
        "Age of the oldest change that a peer region has not acknowledged, of the partitions led here.",
        lambda: lags(of_indexes=False),
        _BY_PEER,
    )
    scope.gauge(
        "kvorum_index_lag_seconds",
        "Age of the oldest change that a global index does not show yet, of the partitions led here.",
        lambda: lags(of_indexes=True),
        _BY_INDEX,
    )
    scope.counter(
        "kvorum_index_entries",
        "Entries, removals included, that partitions led here have entered in a global index.",
        lambda: by_index(host.node.routes.entered),
        _BY_INDEX,
    )
    scope.counter(
        "kvorum_index_refused_writes",
        "Writes that partitions led here have refused because this global index was too far behind.",
        refused,
        _BY_INDEX,
    )
    scope.counter(
        "kvorum_conflicts_lost",
        "Changes from peer regions that lost to a newer write here.",
        lost_merges,
    )
    scope.counter(
        "kvorum_stamps_refused",
        "Changes from peer regions refused because their stamp lay too far ahead of this node's clock.",
        lambda: [((), float(host.node.clock.refused))],
    )
    scope.gauge(
        "kvorum_disk_free_bytes",
        "Space left on the store's disk.",
        lambda: [((), float(store.free_bytes()))],
    )
    scope.gauge(
        "kvorum_suspect_replicas",
        "Replicas that lost their disk and do not vote until they have caught up.",
        lambda: [((), float(sum(replica.suspect for replica in host.node.engine.replicas.values())))],
    )


def expose_router(scope: Scope, router: Router) -> None:
    scope.gauge(
        "kvorum_requests_in_flight",
        "Requests that are being worked on.",
        lambda: [((), float(router.service.in_flight))],
    )
    scope.gauge(
        "kvorum_requests_waiting",
        "Requests that wait for a partition's leader.",
        lambda: [((), float(router.placement.waiting))],
    )
    scope.gauge(
        "kvorum_control_version",
        "Version of the control group's state that this router has.",
        lambda: [((), float(router.directory.version))],
    )
    scope.gauge(
        "kvorum_global_tables_waiting",
        "Global tables of peer regions that cannot exist here, because a local table has their name.",
        lambda: [((), float(len(router.directory.waiting_claims())))],
    )
