"""AWS's service model, as botocore carries it: the authority for the shapes of requests and answers.

`make service-model` (python -m tests.kit.service_model) writes what it says of requests, without its prose, to
router/service_model.json, from which the router makes them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import botocore
import botocore.loaders
import botocore.session
import orjson
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

TABLE = Path(__file__).parents[2] / "router" / "service_model.json"
_KEPT = ("required", "enum", "min", "max", "pattern")


@cache
def dynamodb() -> ServiceModel:
    return botocore.session.Session().get_service_model("dynamodb")


def table() -> bytes:
    """{"botocore": its version, "operations": {name: its request's shape}, "shapes": {name: shape}}; a line a shape,
    so that what a newer model changes can be read."""
    model: dict[str, Any] = botocore.loaders.Loader().load_service_model("dynamodb", "service-2")
    operations = {name: operation["input"]["shape"] for name, operation in model["operations"].items()}
    shapes: dict[str, dict[str, Any]] = {}
    for name in operations.values():
        _collect(name, model["shapes"], shapes)
    lines = [orjson.dumps(name) + b":" + orjson.dumps(shapes[name]) for name in sorted(shapes)]
    return b'{"botocore":%b,\n"operations":%b,\n"shapes":{\n%b\n}}\n' % (
        orjson.dumps(botocore.__version__),
        orjson.dumps(operations),
        b",\n".join(lines),
    )


def _collect(name: str, model: dict[str, Any], shapes: dict[str, dict[str, Any]]) -> None:
    """The shape and all that it is made of."""
    if name in shapes:
        return
    shape = model[name]
    slim: dict[str, Any] = {"type": shape["type"]}
    slim.update({key: shape[key] for key in _KEPT if key in shape})
    if "members" in shape:
        slim["members"] = {member: inner["shape"] for member, inner in shape["members"].items()}
    elements = [key for key in ("member", "key", "value") if key in shape]
    slim.update({key: shape[key]["shape"] for key in elements})
    shapes[name] = slim
    for inner in [*slim.get("members", {}).values(), *(slim[key] for key in elements)]:
        _collect(inner, model, shapes)


def assert_answer_fits(operation: str, answer: dict[str, Any]) -> None:
    """Every member of the answer is in the model, with its type, and every required member is there;
    nothing is in the answer of an operation that has none."""
    shape = dynamodb().operation_model(operation).output_shape
    if shape is None:
        assert not answer
        return
    _assert_fits(shape, answer, operation)


def _assert_fits(shape: Shape, value: Any, path: str) -> None:
    if isinstance(shape, StructureShape):
        assert isinstance(value, dict), path
        assert value.keys() <= shape.members.keys(), f"{path}: {value.keys() - shape.members.keys()}"
        assert set(shape.required_members) <= value.keys(), path
        for name, member in value.items():
            _assert_fits(shape.members[name], member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        assert isinstance(value, list), path
        for entry in value:
            _assert_fits(shape.member, entry, f"{path}[]")
    elif isinstance(shape, MapShape):
        assert isinstance(value, dict), path
        for name, entry in value.items():
            _assert_fits(shape.value, entry, f"{path}.{name}")
    else:
        types: dict[str, type | tuple[type, ...]] = {
            "string": str,
            "blob": str,
            "boolean": bool,
            "integer": int,
            "long": int,
            "double": (int, float),
            "timestamp": (int, float),
        }
        assert isinstance(value, types[shape.type_name]), f"{path}: {value!r} is no {shape.type_name}"
        allowed = shape.metadata.get("enum")
        assert not allowed or value in allowed, f"{path}: {value!r}"


if __name__ == "__main__":
    TABLE.write_bytes(table())
