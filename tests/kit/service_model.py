"""AWS's service model, as botocore carries it: the authority for the shapes of requests and answers."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape


@cache
def dynamodb() -> ServiceModel:
    return botocore.session.Session().get_service_model("dynamodb")


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
