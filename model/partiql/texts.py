"""Conditions and changes back to expression texts, for whoever evaluates them: a leader takes texts, and so does
everything that checks them. Every name becomes a placeholder, so that no name needs to be one that a text can
hold, and equal statements with other values make equal texts, which are parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvorum.model import expressions
from kvorum.model.errors import ApiError, validation
from kvorum.model.expressions.nodes import (
    Action,
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
    RemoveAction,
    SetAction,
    Update,
    Value,
)
from kvorum.model.requests import AttributeValue, Expressions


@dataclass(frozen=True, slots=True)
class Texts:
    """Checked, and ready for model/expressions. `names` and `values`: what the texts use, and nothing else."""

    condition: str | None
    update: str | None
    names: dict[str, str]
    values: dict[str, AttributeValue]

    def expressions(self) -> Expressions:
        return Expressions(self.condition, self.update, self.names, self.values)


def texts_of(
    values: Mapping[str, AttributeValue], *, condition: Condition | None = None, update: Update | None = None
) -> Texts:
    """`values`: of all placeholders. Raises ValidationException for what the engine of expressions would refuse,
    without the names of request parameters that a statement does not have."""
    writer = _Writer()
    update_text = None if update is None else writer.update(update)
    condition_text = None if condition is None else writer.condition(condition)
    texts = Texts(
        condition_text,
        update_text,
        {placeholder: name for name, placeholder in writer.names.items()},
        {placeholder: values[placeholder] for placeholder in writer.values},
    )
    if condition is None and update is None:
        return texts
    try:
        expressions.check(
            update=texts.update, condition=texts.condition, names=texts.names, values=texts.values
        )
    except ApiError as error:
        raise validation(_without_parameter(error.message)) from None
    return texts


def _without_parameter(message: str) -> str:
    for parameter in ("ConditionExpression", "UpdateExpression"):
        message = message.removeprefix(f"Invalid {parameter}: ")
    return message


class _Writer:
    """`names`: placeholders by name. `values`: the placeholders in use; a dict for its order."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, None] = {}

    def update(self, update: Update) -> str:
        return " ".join(
            f"{section.keyword} {', '.join(map(self._action, section.actions))}"
            for section in update.sections
        )

    def _action(self, action: Action) -> str:
        if isinstance(action, RemoveAction):
            return self._operand(action.path)
        path, value = self._operand(action.path), self._operand(action.value)
        return f"{path} = {value}" if isinstance(action, SetAction) else f"{path} {value}"

    def condition(self, node: Condition) -> str:
        match node:
            case Or():
                return " OR ".join(map(self.condition, node.conditions))
            case And():
                return " AND ".join(self._within(each, Or) for each in node.conditions)
            case Not():
                return f"NOT {self._within(node.condition, And | Or)}"
            case Comparison():
                return f"{self._operand(node.left)} {node.operator} {self._operand(node.right)}"
            case Between():
                operand, lower, upper = map(self._operand, (node.operand, node.lower, node.upper))
                return f"{operand} BETWEEN {lower} AND {upper}"
            case In():
                return f"{self._operand(node.operand)} IN ({', '.join(map(self._operand, node.choices))})"
            case Call():
                return self._operand(node)

    def _within(self, node: Condition, weaker: type | object) -> str:
        """In parentheses when it binds more loosely than what is around it."""
        text = self.condition(node)
        return f"({text})" if isinstance(node, weaker) else text  # type: ignore[arg-type]

    def _operand(self, node: Operand) -> str:
        match node:
            case Path():
                return self._path(node)
            case Value():
                self.values[node.name] = None
                return node.name
            case Call():
                return f"{node.function}({', '.join(map(self._operand, node.arguments))})"
            case Arithmetic():
                return f"{self._operand(node.left)} {node.operator} {self._operand(node.right)}"

    def _path(self, path: Path) -> str:
        parts: list[str] = []
        for step in path.steps:
            if isinstance(step, int):
                parts.append(f"[{step}]")
            else:
                placeholder = self.names.setdefault(step, f"#{len(self.names)}")
                parts.append(f".{placeholder}" if parts else placeholder)
        return "".join(parts)
