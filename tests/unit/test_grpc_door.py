"""The door alone, spoken to in plain gRPC: translation, errors, sessions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import orjson
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import errors
from kvorum.model.errors import ApiError
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb
from kvorum.router import protobuf
from kvorum.router.grpc import ERROR_METADATA_KEY, GrpcDoor, status_code
from kvorum.router.protobuf import OPERATIONS
from tests.kit.fake_store import FakeStore, Gate
from tests.kit.grpc_door import asynchronous, opened

# ---- translation --------------------------------------------------------------------------------------------

REQUESTS: list[tuple[str, Message, dict[str, Any]]] = [
    (
        "PutItem",
        pb.PutItemRequest(
            table_name="t",
            item=pb.Item(attributes={"id": pb.AttributeValue(s="a")}),
            condition_expression="",
            expression_attribute_names={"#n": "name"},
            expression_attribute_values={":v": pb.AttributeValue(b=b"\x00\xff")},
            return_values=pb.RETURN_VALUES_ALL_OLD,
            return_values_on_condition_check_failure=pb.ON_CONDITION_CHECK_FAILURE_ALL_OLD,
            return_consumed_capacity=pb.RETURN_CONSUMED_CAPACITY_TOTAL,
        ),
        {
            "TableName": "t",
            "Item": {"id": {"S": "a"}},
            "ConditionExpression": "",
            "ExpressionAttributeNames": {"#n": "name"},
            "ExpressionAttributeValues": {":v": {"B": "AP8="}},
            "ReturnValues": "ALL_OLD",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            "ReturnConsumedCapacity": "TOTAL",
        },
    ),
    ("PutItem", pb.PutItemRequest(item=pb.Item()), {"Item": {}}),
    ("GetItem", pb.GetItemRequest(), {}),
    (
        "Query",
        pb.QueryRequest(scan_index_forward=False, limit=0, select=pb.SELECT_COUNT, consistent_read=True),
        {"ScanIndexForward": False, "Limit": 0, "Select": "COUNT", "ConsistentRead": True},
    ),
    ("Scan", pb.ScanRequest(segment=0, total_segments=1), {"Segment": 0, "TotalSegments": 1}),
    (
        "BatchGetItem",
        pb.BatchGetItemRequest(
            request_items={
                "t": pb.KeysAndAttributes(
                    keys=[pb.Item(attributes={"id": pb.AttributeValue(n="1")})], projection_expression="a"
                )
            }
        ),
        {"RequestItems": {"t": {"Keys": [{"id": {"N": "1"}}], "ProjectionExpression": "a"}}},
    ),
    (
        "BatchWriteItem",
        pb.BatchWriteItemRequest(
            request_items=[
                pb.WriteRequest(table_name="t", put_item=pb.Item()),
                pb.WriteRequest(table_name="u", delete_key=pb.Item()),
                pb.WriteRequest(table_name="t"),
            ]
        ),
        {
            "RequestItems": {
                "t": [{"PutRequest": {"Item": {}}}, {}],
                "u": [{"DeleteRequest": {"Key": {}}}],
            }
        },
    ),
    (
        "CreateTable",
        pb.CreateTableRequest(
            table_name="t",
            key_schema=[pb.KeySchemaElement(attribute_name="id", key_type=pb.KEY_TYPE_HASH)],
            billing_mode=pb.BILLING_MODE_PAY_PER_REQUEST,
            tags=[pb.Tag(key="k", value="v")],
        ),
        {
            "TableName": "t",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "Tags": [{"Key": "k", "Value": "v"}],
        },
    ),
]


@pytest.mark.parametrize(("operation", "request_message", "body"), REQUESTS)
def test_a_request_is_the_body_of_the_same_names(
    operation: str, request_message: Message, body: dict[str, Any]
) -> None:
    assert OPERATIONS[operation].body(request_message) == body


def test_every_name_of_the_api_is_one_of_dynamodbs(service_model: Any) -> None:
    """Against botocore's model: a name that is wrong here would silently be ignored by both sides."""
    other_shape = {"Item", "Items", "WriteRequest", "AttributeValue"}
    checked: set[str] = set()

    def check(descriptor: Any, shape: Any) -> None:
        if shape.name == "LocalSecondaryIndexDescription":  # part of the global one, which is checked
            return
        for field in descriptor.fields:
            name = protobuf.pascal_case(field.name)
            assert name in shape.members, f"{descriptor.name}.{name}"
            checked.add(f"{descriptor.name}.{name}")
            member = shape.members[name]
            while member.type_name in {"list", "map"}:
                member = member.member if member.type_name == "list" else member.value
            if field.enum_type is not None:
                prefix = protobuf.snake_case(field.enum_type.name).upper() + "_"
                names = {value.name.removeprefix(prefix) for value in field.enum_type.values}
                assert names - {"UNSPECIFIED"} <= set(member.enum), field.enum_type.name
            message = field.message_type
            if message is not None and message.GetOptions().map_entry:
                message = message.fields_by_name["value"].message_type
            if message is not None and message.name not in other_shape:
                check(message, member)

    for method in protobuf.SERVICE.methods:
        if not method.client_streaming:
            model = service_model.operation_model(method.name)
            check(method.input_type, model.input_shape)
            check(method.output_type, model.output_shape)
    assert len(checked) > 100


@pytest.fixture(scope="module")
def service_model() -> Any:
    import botocore.session

    return botocore.session.Session().get_service_model("dynamodb")


scalars = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=9)),
    st.builds(lambda number: {"N": str(number)}, st.integers()),
    st.sampled_from([{"B": ""}, {"B": "AP8="}, {"BOOL": False}, {"BOOL": True}, {"NULL": True}]),
    st.sampled_from([{"SS": ["a", "b"]}, {"NS": ["1", "2.5"]}, {"BS": ["AA==", "/w=="]}]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(lambda entries: {"L": entries}, st.lists(inner, max_size=3)),
        st.builds(lambda entries: {"M": entries}, st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    ),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=4), max_size=3))
def test_items_come_through_both_ways(items: list[dict[str, Any]]) -> None:
    response = pb.QueryResponse()
    OPERATIONS["Query"].fill(response, {"Items": items, "Count": len(items), "ScannedCount": 7, "New": 1})
    assert [protobuf.read_item(item) for item in response.items] == items
    assert (response.count, response.scanned_count) == (len(items), 7)
    assert not response.HasField("last_evaluated_key")


def test_an_empty_item_is_not_an_absent_one() -> None:
    response = pb.GetItemResponse()
    OPERATIONS["GetItem"].fill(response, {"Item": {}})
    assert response.HasField("item")


def test_answers_of_batches_and_tables() -> None:
    got = pb.BatchGetItemResponse()
    unprocessed = {
        "Keys": [{"id": {"S": "b"}}],
        "ExpressionAttributeNames": {"#a": "b"},
        "ConsistentRead": True,
    }
    OPERATIONS["BatchGetItem"].fill(
        got,
        {
            "Responses": {"t": [{"id": {"S": "a"}}]},
            "UnprocessedKeys": {"t": unprocessed},
            "ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 1, "Table": {"CapacityUnits": 1.0}}],
        },
    )
    assert got.responses["t"].items[0].attributes["id"].s == "a"
    assert dict(got.unprocessed_keys["t"].expression_attribute_names) == {"#a": "b"}
    assert got.consumed_capacity[0].table.capacity_units == 1.0
    table = pb.DescribeTableResponse()
    OPERATIONS["DescribeTable"].fill(
        table, {"Table": {"TableStatus": "ACTIVE", "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}}
    )
    assert table.table.table_status == pb.TABLE_STATUS_ACTIVE
    assert table.table.billing_mode_summary.billing_mode == pb.BILLING_MODE_PAY_PER_REQUEST


# ---- unary calls --------------------------------------------------------------------------------------------


def put(name: str, **members: Any) -> pb.PutItemRequest:
    return pb.PutItemRequest(
        table_name="t", item=pb.Item(attributes={"id": pb.AttributeValue(s=name)}), **members
    )


async def refused(
    channel: grpc.aio.Channel, request: Message, method: str
) -> tuple[grpc.StatusCode, pb.Error]:
    call = channel.unary_unary(
        f"/kvorum.v1.KeyValue/{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=OPERATIONS[method].response_class.FromString,
    )
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(request, timeout=20)
    metadata: Any = raised.value.trailing_metadata()
    return raised.value.code(), pb.Error.FromString(metadata[ERROR_METADATA_KEY])


@pytest.mark.parametrize(
    ("error", "code", "definite"),
    [
        (errors.validation("no"), grpc.StatusCode.INVALID_ARGUMENT, True),
        (errors.serialization(), grpc.StatusCode.INVALID_ARGUMENT, True),
        (errors.conditional_check_failed(), grpc.StatusCode.FAILED_PRECONDITION, True),
        (errors.resource_not_found(), grpc.StatusCode.NOT_FOUND, True),
        (errors.resource_in_use("x"), grpc.StatusCode.FAILED_PRECONDITION, True),
        (errors.throttled(), grpc.StatusCode.RESOURCE_EXHAUSTED, True),
        (errors.service_unavailable(), grpc.StatusCode.UNAVAILABLE, True),
        (errors.internal_server_error(), grpc.StatusCode.INTERNAL, False),
        (errors.validation("long and ümläuted " * 1_000), grpc.StatusCode.INVALID_ARGUMENT, True),
        (ApiError("x#NewException", "", status=400), grpc.StatusCode.FAILED_PRECONDITION, True),
        (ApiError("x#NewFailure", "", status=500), grpc.StatusCode.INTERNAL, True),
    ],
)
@asynchronous
async def test_an_error_is_the_nearest_status_and_the_whole_error(
    error: ApiError, code: grpc.StatusCode, definite: bool
) -> None:
    store = FakeStore()
    store.script.append(error)
    options = [("grpc.max_metadata_size", 1 << 20), ("grpc.absolute_max_metadata_size", 1 << 20)]
    async with opened(store) as address, grpc.aio.insecure_channel(address, options=options) as channel:
        answered = await refused(channel, put("a"), "PutItem")
    assert status_code(error) is code
    assert answered == (code, pb.Error(code=error.code, message=error.message, definite=definite))


@asynchronous
async def test_a_mistake_of_ours_is_an_indefinite_error_and_logged_without_the_item(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeStore()
    store.script.append(KeyError("secret"))
    with caplog.at_level(logging.ERROR):
        async with opened(store) as address, grpc.aio.insecure_channel(address) as channel:
            code, error = await refused(channel, put("secret"), "PutItem")
    assert (code, error.code, error.definite) == (grpc.StatusCode.INTERNAL, "InternalServerError", False)
    assert "failed unexpectedly" in caplog.text
    assert "secret" not in caplog.text + repr([record.__dict__ for record in caplog.records])


@asynchronous
async def test_a_taken_port_is_an_error() -> None:
    store = FakeStore()
    async with opened(store) as address:
        with pytest.raises(OSError, match="cannot listen"):
            await GrpcDoor(store).start("127.0.0.1", int(address.rpartition(":")[2]))


# ---- sessions -----------------------------------------------------------------------------------------------

Stream = grpc.aio.StreamStreamCall[pb.SessionRequest, pb.SessionResponse]


@asynccontextmanager
async def session(address: str) -> AsyncIterator[Stream]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel.stream_stream(
            "/kvorum.v1.KeyValue/Session",
            request_serializer=pb.SessionRequest.SerializeToString,
            response_deserializer=pb.SessionResponse.FromString,
        )(None)


async def answers(stream: Stream) -> list[pb.Answer]:
    """All that come until the router ends the stream."""
    found: list[pb.Answer] = []
    while isinstance(message := await stream.read(), pb.SessionResponse):
        found.extend(message.answers)
    return found


@asynchronous
async def test_answers_come_as_they_are_ready_with_their_calls_ids() -> None:
    store, gate = FakeStore(), Gate()
    store.script.append(gate.pass_through)
    async with opened(store) as address, session(address) as stream:
        await stream.write(
            pb.SessionRequest(calls=[pb.Call(id=id_, put_item=put(str(id_))) for id_ in (1, 2, 3)])
        )
        first: Any = await stream.read()
        seen = [answer.id for answer in first.answers]
        while len(seen) < 2:
            more: Any = await stream.read()
            seen += [answer.id for answer in more.answers]
        assert sorted(seen) == [2, 3]
        gate.open()
        await stream.done_writing()
        (last,) = await answers(stream)
        assert last == pb.Answer(id=1, put_item=pb.PutItemResponse())


@asynchronous
async def test_errors_and_mistakes_are_answers_and_the_session_goes_on() -> None:
    store = FakeStore()
    item = {"id": {"S": "a"}, "body": {"S": "x" * 300_000}}
    store.script.extend([errors.conditional_check_failed(item), ZeroDivisionError("ours")])
    async with opened(store) as address, session(address) as stream:
        await stream.write(
            pb.SessionRequest(
                calls=[
                    pb.Call(id=1, put_item=put("a")),
                    pb.Call(id=2, put_item=put("b")),
                    pb.Call(id=3),
                    pb.Call(id=4, get_item=pb.GetItemRequest(key=put("z").item)),
                ]
            )
        )
        await stream.done_writing()
        found = {answer.id: answer for answer in await answers(stream)}
    assert found[1].error.definite
    assert protobuf.read_item(found[1].error.item) == item
    assert (found[2].error.code, found[2].error.definite) == ("InternalServerError", False)
    assert (found[3].error.code, found[3].error.definite) == ("UnknownOperationException", True)
    assert found[4].get_item == pb.GetItemResponse()


@asynchronous
async def test_a_full_session_is_not_read_until_an_answer_has_gone() -> None:
    store, gate = FakeStore(), Gate()
    store.script.extend([gate.pass_through] * 3)
    async with opened(store, session_calls_max=2) as address, session(address) as stream:
        for id_ in (1, 2, 3):
            await stream.write(pb.SessionRequest(calls=[pb.Call(id=id_, put_item=put(str(id_)))]))
        await stream.done_writing()
        await gate.arrived.acquire()
        await gate.arrived.acquire()
        for _ in range(20):  # the loop has had every chance to read on
            await asyncio.sleep(0)
        assert len(store.calls) == 2
        gate.open()
        assert {answer.id for answer in await answers(stream)} == {1, 2, 3}


@asynchronous
async def test_a_client_that_reads_no_answers_is_not_served_without_end() -> None:
    store = FakeStore()
    store.items['{"S":"a"}'] = {"id": {"S": "a"}, "body": {"S": "x" * 400_000}}
    get = pb.GetItemRequest(key=put("a").item)
    async with opened(store, session_calls_max=2) as address, session(address) as stream:
        for id_ in range(1, 201):
            await stream.write(pb.SessionRequest(calls=[pb.Call(id=id_, get_item=get)]))
        await stream.done_writing()
        for _ in range(2_000):
            await asyncio.sleep(0)
        assert len(store.calls) < 50
        assert len(await answers(stream)) == 200


@asynchronous
async def test_a_stopping_door_answers_what_it_has_begun_and_says_where_it_stopped() -> None:
    store, gate = FakeStore(), Gate()
    store.script.append(gate.pass_through)
    door = GrpcDoor(store)
    address = f"127.0.0.1:{await door.start('127.0.0.1', 0)}"
    async with session(address) as stream:
        await stream.write(pb.SessionRequest(calls=[pb.Call(id=7, put_item=put("a"))]))
        await gate.arrived.acquire()
        stopping = asyncio.create_task(door.stop(20))
        await asyncio.sleep(0)
        gate.open()
        first: Any = await stream.read()
        assert [answer.id for answer in first.answers] == [7]
        last: Any = await stream.read()
        assert last.closed_after == 7
        assert await stream.read() is grpc.aio.EOF
        await stopping


@asynchronous
async def test_a_client_that_goes_away_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    store, gate = FakeStore(), Gate()
    store.script.append(gate.pass_through)
    door = GrpcDoor(store)
    address = f"127.0.0.1:{await door.start('127.0.0.1', 0)}"
    async with session(address) as stream:
        await stream.write(pb.SessionRequest(calls=[pb.Call(id=1, put_item=put("a"))]))
        await gate.arrived.acquire()
        stream.cancel()
    async with asyncio.timeout(10):
        while door._sessions:
            await asyncio.sleep(0)
    await door.stop(0)
    assert caplog.text == ""


def test_an_answer_is_what_the_store_said_in_bytes() -> None:
    body = orjson.loads(b'{"Attributes":{"b":{"B":"AP8="}}}')
    response = pb.PutItemResponse()
    OPERATIONS["PutItem"].fill(response, body)
    assert response.attributes.attributes["b"].b == b"\x00\xff"
