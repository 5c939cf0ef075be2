"""Document paths once their #placeholders have names: reading them, gathering them into a tree, and the rule
that the paths of one update or projection stay out of each other's way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kvorum.model.errors import ApiError
from kvorum.model.expressions.kind import ExpressionKind, invalid
from kvorum.model.expressions.nodes import Path, Step
from kvorum.model.requests import AttributeValue, Item

Steps = tuple[Step, ...]
Names = Mapping[str, str]


def resolve(path: Path, names: Names) -> Steps:
    if not path.symbolic:
        return path.steps
    return tuple(names[step] if isinstance(step, str) and step[0] == "#" else step for step in path.steps)


def attribute_of(path: Path, names: Names) -> str:
    """The top-level attribute in which the path lies."""
    head = path.steps[0]
    assert isinstance(head, str)
    return names[head] if path.symbolic and head[0] == "#" else head


def read(item: Item, path: Path, names: Names) -> AttributeValue | None:
    """None: there is nothing at the path."""
    if len(path.steps) == 1:
        return item.get(attribute_of(path, names))
    return read_steps(item, resolve(path, names))


def read_steps(item: Item, steps: Steps) -> AttributeValue | None:
    found: AttributeValue = {"M": item}
    for step in steps:
        below: AttributeValue | None
        if isinstance(step, int):
            elements = found.get("L", ())
            below = elements[step] if step < len(elements) else None
        else:
            below = found.get("M", {}).get(step)
        if below is None:
            return None
        found = below
    return found


class Branch(dict[Step, Any]):
    """Paths by their first step. Below a step: another Branch, or what was planted at a path's end (which is
    anything but a Branch)."""

    __slots__ = ()

    def plant(self, steps: Steps, leaf: object) -> None:
        """No planted path may begin with another one: `check_disjoint` has seen to that."""
        branch = self
        for step in steps[:-1]:
            below = branch.get(step)
            if below is None:
                below = branch[step] = Branch()
            branch = below
        branch[steps[-1]] = leaf


class _Junction:
    """A step that paths go through. `first`: the first of them. `end`: the path that ends here."""

    __slots__ = ("below", "end", "first")

    def __init__(self, first: Steps) -> None:
        self.first = first
        self.end: Steps | None = None
        self.below: dict[Step, _Junction] = {}


def check_disjoint(kind: ExpressionKind, paths: Iterable[Steps]) -> None:
    """Raises ValidationException when a path equals or begins with another (they overlap), else when two treat
    one attribute as a list and as a map (they conflict)."""
    conflict: ApiError | None = None
    root = _Junction(())
    for path in paths:
        junction = root
        for step in path:
            below = junction.below.get(step)
            if below is None:
                if conflict is None:
                    conflict = _conflict(kind, junction, step, path)
                below = junction.below[step] = _Junction(path)
            junction = below
            if junction.end is not None:
                raise _clash(kind, "overlap", junction.end, path)
        if junction.below:
            raise _clash(kind, "overlap", junction.first, path)
        junction.end = path
    if conflict is not None:
        raise conflict


def _conflict(kind: ExpressionKind, junction: _Junction, step: Step, path: Steps) -> ApiError | None:
    """With the first path that goes on from here the other way."""
    for sibling, there in junction.below.items():
        if type(sibling) is not type(step):
            return _clash(kind, "conflict", there.first, path)
    return None


def _clash(kind: ExpressionKind, verb: str, one: Steps, two: Steps) -> ApiError:
    return invalid(
        kind,
        f"Two document paths {verb} with each other; must remove or rewrite one of these paths; "
        f"path one: {text_of(one)}, path two: {text_of(two)}",
    )


def text_of(steps: Steps) -> str:
    """As AWS's messages write a path: [a, b, [0]]."""
    return f"[{', '.join(f'[{step}]' if isinstance(step, int) else step for step in steps)}]"
