"""Tables as the SDK takes and shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb

KeyTypes = Mapping[str, Literal["S", "N", "B"]]
"""A key's attributes and their types: first the partition key, then the sort key if there is one."""


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index to create. `projection`: "ALL", "KEYS_ONLY", or the names of further attributes.
    `local`: it shares the table's partition key, which `key` names first. `partition_attributes`: how many of the
    attributes of `key`, up to four, are the partition key; a global index may have up to four sort key attributes too."""

    key: KeyTypes
    projection: Literal["ALL", "KEYS_ONLY"] | Sequence[str] = "ALL"
    local: bool = False
    partition_attributes: int = 1


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """`status` of a local index is its table's, and empty here. `partition_attributes`: how many of the first
    attributes of `key` are its partition key."""

    name: str
    key: dict[str, str]
    partition_attributes: int
    status: str
    item_count: int
    size_bytes: int
    local: bool


@dataclass(frozen=True, slots=True)
class TableDescription:
    """`key` and each index's key map attribute names to "S", "N" or "B", partition key first. Of a table that is being
    deleted `created` is None, and `key` and `indexes` are empty."""

    name: str
    status: str
    key: dict[str, str]
    item_count: int
    size_bytes: int
    created: datetime | None
    arn: str
    id: str
    indexes: tuple[IndexDescription, ...]
    stream_arn: str | None

    @property
    def active(self) -> bool:
        return self.status == "ACTIVE"


def create_table_request(
    table: str,
    key: KeyTypes,
    indexes: Mapping[str, Index],
    capacity: tuple[int, int] | None,
    stream: str | None,
) -> pb.CreateTableRequest:
    request = pb.CreateTableRequest(table_name=table)
    types = dict(key)
    for index in indexes.values():
        types.update(index.key)
    for name, kind in types.items():
        request.attribute_definitions.add(
            attribute_name=name, attribute_type=pb.ScalarType.Value(f"SCALAR_TYPE_{kind}")
        )
    request.key_schema.extend(_key_schema(key))
    if capacity is None:
        request.billing_mode = pb.BILLING_MODE_PAY_PER_REQUEST
    else:
        request.billing_mode = pb.BILLING_MODE_PROVISIONED
        request.provisioned_throughput.CopyFrom(_throughput(capacity))
    for name, index in indexes.items():
        if index.local:
            request.local_secondary_indexes.add(
                index_name=name, key_schema=_index_key_schema(index), projection=_projection(index)
            )
        else:
            request.global_secondary_indexes.add(
                index_name=name,
                key_schema=_index_key_schema(index),
                projection=_projection(index),
                provisioned_throughput=None if capacity is None else _throughput(capacity),
            )
    if stream is not None:
        request.stream_specification.CopyFrom(
            pb.StreamSpecification(stream_enabled=True, stream_view_type=f"STREAM_VIEW_TYPE_{stream}")
        )
    return request


def read_description(description: pb.TableDescription) -> TableDescription:
    types = {
        definition.attribute_name: pb.ScalarType.Name(definition.attribute_type).rpartition("_")[2]
        for definition in description.attribute_definitions
    }
    indexes = [_read_index(index, types, local=True) for index in description.local_secondary_indexes]
    indexes += [_read_index(index, types, local=False) for index in description.global_secondary_indexes]
    created = description.creation_date_time
    return TableDescription(
        name=description.table_name,
        status=_status(pb.TableStatus.Name(description.table_status), "TABLE_STATUS_"),
        key={element.attribute_name: types[element.attribute_name] for element in description.key_schema},
        item_count=description.item_count,
        size_bytes=description.table_size_bytes,
        created=datetime.fromtimestamp(created, UTC) if created else None,
        arn=description.table_arn,
        id=description.table_id,
        indexes=tuple(indexes),
        stream_arn=description.latest_stream_arn or None,
    )


def _read_index(index: pb.IndexDescription, types: dict[str, str], *, local: bool) -> IndexDescription:
    return IndexDescription(
        name=index.index_name,
        key={element.attribute_name: types[element.attribute_name] for element in index.key_schema},
        partition_attributes=sum(element.key_type == pb.KEY_TYPE_HASH for element in index.key_schema),
        status=_status(pb.IndexStatus.Name(index.index_status), "INDEX_STATUS_"),
        item_count=index.item_count,
        size_bytes=index.index_size_bytes,
        local=local,
    )


def _status(name: str, prefix: str) -> str:
    status = name.removeprefix(prefix)
    return "" if status == "UNSPECIFIED" else status


def _key_schema(key: KeyTypes) -> list[pb.KeySchemaElement]:
    if not 1 <= len(key) <= 2:
        raise TypeError("a key is one attribute or two")
    return _elements(key, 1)


def _index_key_schema(index: Index) -> list[pb.KeySchemaElement]:
    if not 1 <= index.partition_attributes <= len(index.key):
        raise TypeError("an index's partition key is one of its attributes at least, and all of them at most")
    return _elements(index.key, index.partition_attributes)


def _elements(key: KeyTypes, partition_attributes: int) -> list[pb.KeySchemaElement]:
    return [
        pb.KeySchemaElement(
            attribute_name=name,
            key_type=pb.KEY_TYPE_HASH if place < partition_attributes else pb.KEY_TYPE_RANGE,
        )
        for place, name in enumerate(key)
    ]


def _projection(index: Index) -> pb.Projection:
    match index.projection:
        case "ALL":
            return pb.Projection(projection_type=pb.PROJECTION_TYPE_ALL)
        case "KEYS_ONLY":
            return pb.Projection(projection_type=pb.PROJECTION_TYPE_KEYS_ONLY)
        case names:
            return pb.Projection(projection_type=pb.PROJECTION_TYPE_INCLUDE, non_key_attributes=names)


def _throughput(capacity: tuple[int, int]) -> pb.ProvisionedThroughput:
    read_units, write_units = capacity
    return pb.ProvisionedThroughput(read_capacity_units=read_units, write_capacity_units=write_units)
