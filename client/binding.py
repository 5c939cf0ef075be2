"""Methods made of functions: with the function's signature and docstring, `self` put before."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar

M = TypeVar("M", bound=Callable[..., Any])

_SELF = Parameter("self", Parameter.POSITIONAL_ONLY)


def presented(method: M, like: Callable[..., Any]) -> M:
    """`method` itself, looking as `like` does to help() and to editors. `like` may have a `self` already."""
    parameters = [parameter for name, parameter in signature(like).parameters.items() if name != "self"]
    method.__name__ = like.__name__
    method.__qualname__ = like.__qualname__
    method.__doc__ = like.__doc__
    described: Any = method
    described.__signature__ = Signature([_SELF, *parameters])
    return method
