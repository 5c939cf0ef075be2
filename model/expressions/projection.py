"""The part of an item at given paths."""

from __future__ import annotations

from kvorum.model.expressions.nodes import Projection
from kvorum.model.expressions.paths import Branch, Names, resolve
from kvorum.model.requests import AttributeValue, Item


def tree_of(projection: Projection, names: Names) -> Branch:
    tree = Branch()
    for path in projection.paths:
        tree.plant(resolve(path, names), None)
    return tree


def project(item: Item, tree: Branch) -> Item:
    """What `item` holds at the tree's paths, with the maps and lists around it. List elements move together in
    their order; a map or list in which nothing was found is left out."""
    found: Item = {}
    for name, below in tree.items():
        # An index finds nothing in a map.
        value = item.get(name) if isinstance(name, str) else None
        if value is not None and type(below) is Branch:
            value = _project_value(value, below)
        if value is not None:
            found[str(name)] = value
    return found


def _project_value(value: AttributeValue, tree: Branch) -> AttributeValue | None:
    if "M" in value:
        members = project(value["M"], tree)
        return {"M": members} if members else None
    if "L" in value:
        elements = _project_elements(value["L"], tree)
        return {"L": elements} if elements else None
    return None


def _project_elements(elements: list[AttributeValue], tree: Branch) -> list[AttributeValue]:
    found: list[AttributeValue] = []
    for index in sorted(step for step in tree if isinstance(step, int)):
        if index >= len(elements):
            break
        below = tree[index]
        value = _project_value(elements[index], below) if type(below) is Branch else elements[index]
        if value is not None:
            found.append(value)
    return found
