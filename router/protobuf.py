"""Messages of the public protobuf API as the JSON bodies of the same operations, and back.

The API is DynamoDB's in snake case, so the translation is not written down: it is compiled once from the
descriptors (`table_name` is `TableName`, `RETURN_VALUES_ALL_OLD` is `ALL_OLD`). Written down are the messages
whose JSON has another shape: values, items, and the writes of a batch. Nothing is validated here; a wrong
request becomes a wrong body, for which the operation has AWS's words. What an answer has beyond the API is
left out.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from kvorum.model.errors import ApiError
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb

Json = Any
Read = Callable[[Any], Json]
"""From a field's value to JSON."""
Fill = Callable[[Any, Json], None]
"""From JSON into a message, which is empty."""


class Operation:
    """One unary method of the service. `field` is its name within Call and Answer."""

    def __init__(self, name: str, request: Descriptor, response: Descriptor) -> None:
        self.name = name
        self.field = snake_case(name)
        self.request_class: type[Message] = GetMessageClass(request)
        self.response_class: type[Message] = GetMessageClass(response)
        self.body: Callable[[Message], dict[str, Any]] = _reader(request)
        self.fill: Callable[[Message, dict[str, Any]], None] = _filler(response)


def pascal_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def snake_case(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).removeprefix("_")


def error_message(error: ApiError) -> pb.Error:
    """With the item that failed the condition, when the caller asked for it."""
    message = pb.Error(code=error.code, message=error.message, definite=error.definite)
    if error.extra is not None and "Item" in error.extra:
        fill_item(message.item, error.extra["Item"])
    return message


# ---- values and items: written by hand, for they are most of every message ----------------------------------


def read_item(item: pb.Item) -> Json:
    return {name: read_value(value) for name, value in item.attributes.items()}


def fill_item(item: pb.Item, json: Json) -> None:
    item.SetInParent()  # an item may be empty, and is not absent then
    attributes = item.attributes
    for name, value in json.items():
        fill_value(attributes[name], value)


def read_value(value: pb.AttributeValue) -> Json:
    """`{}` when none is set, which the operation refuses."""
    match value.WhichOneof("value"):
        case "s":
            return {"S": value.s}
        case "n":
            return {"N": value.n}
        case "m":
            return {"M": read_item(value.m)}
        case "l":
            return {"L": [read_value(element) for element in value.l.values]}
        case "b":
            return {"B": _base64(value.b)}
        case "boolean":
            return {"BOOL": value.boolean}
        case "null":
            return {"NULL": value.null}
        case "ss":
            return {"SS": list(value.ss.values)}
        case "ns":
            return {"NS": list(value.ns.values)}
        case "bs":
            return {"BS": [_base64(member) for member in value.bs.values]}
        case _:
            return {}


def fill_value(value: pb.AttributeValue, json: Json) -> None:
    """`json`: one value as the store returns it, so exactly one known tag."""
    ((tag, content),) = json.items()
    match tag:
        case "S":
            value.s = content
        case "N":
            value.n = content
        case "M":
            fill_item(value.m, content)
        case "L":
            elements = value.l
            elements.SetInParent()
            for element in content:
                fill_value(elements.values.add(), element)
        case "B":
            value.b = a2b_base64(content)
        case "BOOL":
            value.boolean = content
        case "NULL":
            value.null = content
        case "SS":
            value.ss.values.extend(content)
        case "NS":
            value.ns.values.extend(content)
        case _:
            assert tag == "BS"
            value.bs.values.extend(map(a2b_base64, content))


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


# ---- batches: a list of writes here, lists by table in JSON -------------------------------------------------


def _fill_items(items: pb.Items, json: Json) -> None:
    for item in json:
        fill_item(items.items.add(), item)


def _read_writes(writes: Iterable[pb.WriteRequest]) -> Json:
    by_table: dict[str, list[Json]] = {}
    for write in writes:
        match write.WhichOneof("write"):
            case "put_item":
                request = {"PutRequest": {"Item": read_item(write.put_item)}}
            case "delete_key":
                request = {"DeleteRequest": {"Key": read_item(write.delete_key)}}
            case _:
                request = {}
        by_table.setdefault(write.table_name, []).append(request)
    return by_table


def _fill_writes(writes: Any, json: Json) -> None:
    for table, requests in json.items():
        for request in requests:
            write = writes.add(table_name=table)
            if "PutRequest" in request:
                fill_item(write.put_item, request["PutRequest"]["Item"])
            else:
                fill_item(write.delete_key, request["DeleteRequest"]["Key"])


_READERS: dict[str, Read] = {"kvorum.v1.Item": read_item, "kvorum.v1.AttributeValue": read_value}
_FILLERS: dict[str, Fill] = {
    "kvorum.v1.Item": fill_item,
    "kvorum.v1.AttributeValue": fill_value,
    "kvorum.v1.Items": _fill_items,
}
_WRITE_REQUEST = "kvorum.v1.WriteRequest"


# ---- everything else: compiled from descriptors -------------------------------------------------------------


def _reader(descriptor: Descriptor) -> Read:
    """Fields that are not set are left out."""
    if descriptor.full_name in _READERS:
        return _READERS[descriptor.full_name]
    members = {field.number: (pascal_case(field.name), _field_reader(field)) for field in descriptor.fields}

    def read(message: Message) -> Json:
        json: dict[str, Json] = {}
        for field, value in message.ListFields():
            name, convert = members[field.number]
            json[name] = value if convert is None else convert(value)
        return json

    return read


def _field_reader(field: FieldDescriptor) -> Read | None:
    """None: the value is its own JSON."""
    entry_type = _map_value(field)
    if entry_type is not None:
        entry = _value_reader(entry_type)
        if entry is None:
            return dict
        return lambda values: {key: entry(value) for key, value in values.items()}
    if field.message_type is not None and field.message_type.full_name == _WRITE_REQUEST:
        return _read_writes
    single = _value_reader(field)
    if not field.is_repeated:
        return single
    if single is None:
        return list
    return lambda values: [single(value) for value in values]


def _value_reader(field: FieldDescriptor) -> Read | None:
    if field.message_type is not None:
        return _reader(field.message_type)
    if field.enum_type is not None:
        names = _enum_names(field.enum_type)
        return lambda number: names.get(number, str(number))  # unknown: for the operation to refuse
    return None


def _filler(descriptor: Descriptor) -> Fill:
    if descriptor.full_name in _FILLERS:
        return _FILLERS[descriptor.full_name]
    members = {pascal_case(field.name): _field_filler(field) for field in descriptor.fields}

    def fill(message: Message, json: Json) -> None:
        message.SetInParent()
        for name, value in json.items():
            fill_member = members.get(name)
            if fill_member is not None:
                fill_member(message, value)

    return fill


def _field_filler(field: FieldDescriptor) -> Fill:
    """From the member's JSON into the message that has the field."""
    name = field.name
    if field.message_type is None:
        return _scalar_filler(field)
    entry_type = _map_value(field)
    if entry_type is not None:
        if entry_type.message_type is None:
            return lambda message, json: getattr(message, name).update(json)
        entry = _filler(entry_type.message_type)

        def fill_map(message: Message, json: Json) -> None:
            values = getattr(message, name)
            for key, value in json.items():
                entry(values[key], value)

        return fill_map
    if field.message_type.full_name == _WRITE_REQUEST:
        return lambda message, json: _fill_writes(getattr(message, name), json)
    single = _filler(field.message_type)
    if not field.is_repeated:
        return lambda message, json: single(getattr(message, name), json)

    def fill_list(message: Message, json: Json) -> None:
        values = getattr(message, name)
        for value in json:
            single(values.add(), value)

    return fill_list


def _scalar_filler(field: FieldDescriptor) -> Fill:
    name = field.name
    if field.is_repeated:
        return lambda message, json: getattr(message, name).extend(json)
    if field.enum_type is None:
        return lambda message, json: setattr(message, name, json)
    numbers = {text: number for number, text in _enum_names(field.enum_type).items()}
    return lambda message, json: setattr(message, name, numbers.get(json, 0))


def _enum_names(descriptor: EnumDescriptor) -> dict[int, str]:
    prefix = snake_case(descriptor.name).upper() + "_"
    return {value.number: value.name.removeprefix(prefix) for value in descriptor.values}


def _map_value(field: FieldDescriptor) -> FieldDescriptor | None:
    """What a map field holds by its keys; None for any other field."""
    message = field.message_type
    if message is None or not message.GetOptions().map_entry:
        return None
    return message.fields_by_name["value"]


SERVICE = pb.DESCRIPTOR.services_by_name["KeyValue"]

OPERATIONS = {
    method.name: Operation(method.name, method.input_type, method.output_type)
    for method in SERVICE.methods
    if not method.client_streaming
}
OPERATIONS_BY_FIELD = {operation.field: operation for operation in OPERATIONS.values()}
