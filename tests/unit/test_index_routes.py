"""How entries find the leaders of their index's partitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from kvorum.control.directory import Directory
from kvorum.control.messages import Elsewhere, MergeItems, ShipAnswer, Stale
from kvorum.control.state import Partition as Descriptor
from kvorum.control.state import Update
from kvorum.model import keys
from kvorum.node.index_routes import IndexRoutes
from kvorum.node.partition import Partition
from kvorum.replication.link import LinkFailure, Reply

INDEX = 5
HALF = 1 << 63
LOW, HIGH = (0).to_bytes(8, "big") + b"low", HALF.to_bytes(8, "big") + b"high"


@dataclass
class Node:
    """A link, or a partition held here: keeps what it is asked, and answers with what is scripted, else later."""

    script: list[Any] = field(default_factory=list[Any])
    asked: list[tuple[MergeItems, Reply]] = field(default_factory=list[tuple[MergeItems, Reply]])
    leader: str | None = None

    def call(self, message: MergeItems, done: Reply, timeout_seconds: float) -> None:
        self.asked.append((message, done))
        if self.script:
            done(self.script.pop(0))

    def merge_items(self, message: MergeItems, done: Reply) -> None:
        self.call(message, done, 0)

    @property
    def replica(self) -> Any:
        return SimpleNamespace(leader=self.leader)

    descriptor = SimpleNamespace(epoch=1)


class Cluster:
    """Node `a` asks; the index's two partitions lie on b, c and d."""

    def __init__(self) -> None:
        self.directory = Directory()
        self.links = {name: Node() for name in "bcd"}
        self.held: dict[int, Node] = {}
        self.routes = IndexRoutes(
            "a", "eu", self.directory, cast("dict[int, Partition]", self.held), cast("Any", self.links)
        )
        self.answers: list[Any] = []
        self.publish(epoch=1)

    def publish(self, epoch: int) -> None:
        updates = [
            Update("partition", str(number), _descriptor(number, lower, upper, epoch))
            for number, lower, upper in ((1, 0, HALF - 1), (2, HALF, keys.TOKENS - 1))
        ]
        self.directory.receive(self.directory.version + 1, False, updates, self.directory.version)

    def merge(self, *entry_keys: bytes) -> None:
        self.routes.merge(INDEX, [(key, b"record") for key in entry_keys], self.answers.append)


def _descriptor(number: int, lower: int, upper: int, epoch: int) -> Descriptor:
    return Descriptor(
        id=number,
        table_id=INDEX,
        lower=lower,
        upper=upper,
        epoch=epoch,
        replicas=("b", "c", "d"),
        preferred_leader="b" if number == 1 else "c",
    )


def test_a_batch_is_answered_when_every_part_is() -> None:
    cluster = Cluster()
    cluster.merge(LOW, HIGH, LOW + b"er")
    ((low, low_done),), ((high, high_done),) = cluster.links["b"].asked, cluster.links["c"].asked
    assert [change.key for change in low.changes] == [LOW, LOW + b"er"]
    assert [change.key for change in high.changes] == [HIGH]
    assert (low.partition, low.epoch, low.origin) == (1, 1, "eu")
    high_done(ShipAnswer(1))
    assert cluster.answers == []
    assert cluster.routes.entered == {}
    low_done(ShipAnswer(1))
    assert cluster.answers == [ShipAnswer(2)]
    assert cluster.routes.entered == {INDEX: 3}


def test_a_batch_that_failed_in_part_is_answered_once() -> None:
    cluster = Cluster()
    cluster.links["b"].script = [Stale(1, 9)]
    cluster.merge(LOW, HIGH)
    cluster.links["c"].asked[0][1](ShipAnswer(0))
    assert cluster.answers == [Stale(1, 9)]
    assert cluster.routes.entered == {}


def test_who_is_named_as_the_leader_is_asked_at_once_and_first_the_next_time() -> None:
    cluster = Cluster()
    cluster.links["b"].script = [Elsewhere(1, "d")]
    cluster.links["d"].script = [ShipAnswer(0)] * 2
    cluster.merge(LOW)
    cluster.merge(LOW)
    assert cluster.answers == [ShipAnswer(0)] * 2
    assert len(cluster.links["b"].asked) == 1


def test_nodes_that_name_each_other_are_not_asked_for_ever() -> None:
    cluster = Cluster()
    cluster.links["b"].script = [Elsewhere(1, "c")] * 9
    cluster.links["c"].script = [Elsewhere(1, "b")] * 9
    cluster.merge(LOW)
    assert isinstance(cluster.answers[0], Elsewhere)


def test_after_a_failure_the_neighbour_is_asked() -> None:
    cluster = Cluster()
    lost = LinkFailure(sent=True, reason="lost")
    for name in "bcd":
        cluster.links[name].script = [lost]
        cluster.merge(LOW)
    assert [len(cluster.links[name].asked) for name in "bcd"] == [1, 1, 1]
    cluster.links["b"].script = [ShipAnswer(0)]
    cluster.merge(LOW)
    assert cluster.answers == [lost, lost, lost, ShipAnswer(0)]


def test_a_replica_of_ones_own_knows_the_leader() -> None:
    cluster = Cluster()
    cluster.held[1] = Node(leader="d")
    cluster.links["d"].script = [ShipAnswer(0)]
    cluster.merge(LOW)
    cluster.held[1] = Node(script=[ShipAnswer(0)], leader="a")
    cluster.merge(LOW)
    assert cluster.answers == [ShipAnswer(0)] * 2
    assert len(cluster.held[1].asked) == 1


def test_a_partition_of_another_epoch_is_not_given_what_was_meant_for_it() -> None:
    cluster = Cluster()
    cluster.held[1] = Node(leader="a")
    cluster.publish(epoch=2)
    cluster.merge(LOW)
    assert cluster.answers == [Elsewhere(1, None)]
    assert cluster.held[1].asked == []


def test_before_its_partitions_are_known_nothing_is_sent() -> None:
    cluster = Cluster()
    cluster.routes.merge(INDEX + 1, [(LOW, b"record")], cluster.answers.append)
    assert isinstance(cluster.answers[0], LinkFailure)
