"""The forms that an input cell of a decision table may have, and when two cells can match the same value.

`-` or empty (anything), a literal (`"text"`, `12`, `true`), a comparison with a number (`<= 30000`). FEEL's other forms
(lists, ranges, `not(…)`, `?`) are refused with advice.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import ExpressionError

_COMPARISON = re.compile(r"(<=|>=|<|>)\s*(-?\d{1,18}(?:\.\d{1,9})?)")
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?")
_TEXT = re.compile(r'"([^"\\]*)"')
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
}
_TYPES = {
    "string": "string", "number": "number", "boolean": "boolean",
    "integer": "number", "long": "number", "double": "number",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One input cell that has been read."""

    test: str
    """`any`, `==`, or a comparison sign."""
    value: Any = None

    @property
    def is_any(self) -> bool:
        return self.test == "any"

    def matches(self, value: Any) -> bool:
        """True if the cell matches. Raises ExpressionError when a number is wanted and `value` is none."""
        if self.test == "any":
            return True
        if self.test == "==":
            return kind_of(value) == kind_of(self.value) and bool(value == self.value)
        if kind_of(value) != "number":
            raise ExpressionError(f"{str(value)[:40]!r} is not a number and cannot be compared with {self.value}.")
        return _OPERATORS[self.test](value, self.value)


def parse_cell(text: str, kind: str | None) -> Cell:
    """Reads one cell of a column of this type (None: any).

    Raises ExpressionError: what is wrong, ` — `, what to do.
    """
    text = text.strip()
    if text in ("", "-"):
        return Cell("any")
    cell = _literal(text)
    if cell is None:
        match = _COMPARISON.fullmatch(text)
        if match is None:
            raise ExpressionError(f"The cell {text[:60]!r} is not understood. — {_advice(text)}")
        cell = Cell(match[1], _number(match[2]))
    if kind is not None and kind_of(cell.value) != kind:
        raise ExpressionError(
            f"The cell {text[:60]!r} never matches, because the column holds a {kind}. — Change the cell or the type."
        )
    return cell


def _literal(text: str) -> Cell | None:
    if match := _TEXT.fullmatch(text):
        return Cell("==", match[1])
    if _NUMBER.fullmatch(text):
        return Cell("==", _number(text))
    return Cell("==", text == "true") if text in ("true", "false") else None


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _advice(text: str) -> str:
    outside = re.sub(r'"[^"]*"', "", text)
    if re.search(r"\[|\]|\.\.|\(\s*-?\d+\s*\.\.", outside):
        return "Ranges are not supported; write a comparison such as <= 30000 and let another row take the rest."
    if "," in outside:
        return "Lists are not supported; write one row for each value."
    if "not" in outside.split("(", maxsplit=1)[0]:
        return "not(…) is not supported; write rows for what matches and let the last row take the rest."
    if "?" in outside:
        return "The question mark is not supported; write the comparison alone, such as <= 30000."
    if re.fullmatch(r"'[^']*'|[^\W\d]\w*", text):
        return "Put a text into double quotes."
    return "Write a dash, a number, true, false, a text in double quotes, or a comparison such as <= 30000."


def kind_of(value: Any) -> str:
    """`string`, `number`, `boolean`, or `other`."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "other"


def kind_of_type(name: str | None) -> str | None:
    """The kind that a `typeRef` stands for; None when it says nothing. Raises ExpressionError on an unknown type."""
    if not name or name == "Any":
        return None
    kind = _TYPES.get(name.rpartition(":")[2])
    if kind is None:
        raise ExpressionError(f"The type {name[:40]!r} is not supported.")
    return kind


def is_whole(name: str | None) -> bool:
    """True if a `typeRef` admits whole numbers only."""
    return (name or "").rpartition(":")[2] in ("integer", "long")


def fits_type(value: Any, kind: str | None) -> bool:
    """True if a value may stand in a column of this kind."""
    return kind is None or kind_of(value) == kind


def cells_meet(one: Cell, other: Cell, *, whole: bool) -> bool:
    """True if some value matches both cells; `whole`: only whole numbers occur in the column."""
    if one.is_any or other.is_any:
        return True
    if one.test == "==":
        return kind_of(one.value) == kind_of(other.value) and _OPERATORS[other.test](one.value, other.value)
    if other.test == "==":
        return cells_meet(other, one, whole=whole)
    low_one, high_one = _bounds(one, whole=whole)
    low_other, high_other = _bounds(other, whole=whole)
    low, high = max(low_one, low_other), min(high_one, high_other)
    return low <= high


def _bounds(cell: Cell, *, whole: bool) -> tuple[tuple[float, int], tuple[float, int]]:
    """The lowest and the highest value as (number, side): a side of 1 or -1 is just above or below the number."""
    lowest, highest = (-math.inf, 0), (math.inf, 0)
    value = cell.value
    if cell.test in ("<", "<="):
        if whole:
            return lowest, (math.ceil(value) - 1 if cell.test == "<" else math.floor(value), 0)
        return lowest, (value, -1 if cell.test == "<" else 0)
    if whole:
        return (math.floor(value) + 1 if cell.test == ">" else math.ceil(value), 0), highest
    return (value, 1 if cell.test == ">" else 0), highest
