"""What an expression of the safe language may do with values: every operator and function that needs a guard.

Compiled expressions call these and nothing else, so cost and result of each are bounded whatever the variables hold.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

MAX_TEXT = 10_000
"""Characters of a text that an expression builds."""
MAX_NUMBER = 10**18


class Trouble(Exception):
    """An evaluation that went wrong, in words."""


def _number(value: Any, what: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Trouble(f"{what} needs numbers, and one side is {_kind(value)}.")
    return value


def _sized(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise Trouble("the result is not a number.")
    if abs(value) > MAX_NUMBER:
        raise Trouble("the number is too large.")
    return value


def _name(variables: Mapping[str, Any], name: str) -> Any:
    try:
        return variables[name]
    except KeyError:
        raise Trouble(f"there is no variable {name!r} yet.") from None


def _key(base: Any, key: str, path: str) -> Any:
    if type(base) is dict or isinstance(base, Mapping):
        try:
            return base[key]
        except KeyError:
            raise Trouble(f"{path!r} has no {key!r}.") from None
    raise Trouble(f"{path!r} is {_kind(base)} and has no {key!r}.")


def _item(base: Any, index: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(index, str):
        return _key(base, index, "the mapping")
    if isinstance(base, list | tuple | str) and isinstance(index, int) and not isinstance(index, bool):
        try:
            return base[index]
        except IndexError:
            raise Trouble(f"there is no item {index}; there are {len(base)}.") from None
    raise Trouble(f"{_kind(base)} has no item {str(index)[:40]!r}.")


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MAX_TEXT:
            raise Trouble(f"the text would be longer than {MAX_TEXT} characters.")
        return left + right
    if isinstance(left, str) or isinstance(right, str):
        raise Trouble("'+' joins two texts or adds two numbers; turn a number into text with str().")
    return _sized(_number(left, "'+'") + _number(right, "'+'"))


def _subtract(left: Any, right: Any) -> Any:
    return _sized(_number(left, "'-'") - _number(right, "'-'"))


def _multiply(left: Any, right: Any) -> Any:
    return _sized(_number(left, "'*'") * _number(right, "'*'"))


def _divide(left: Any, right: Any) -> Any:
    return _sized(_number(left, "'/'") / _number(right, "'/'"))


def _floor(left: Any, right: Any) -> Any:
    return _sized(_number(left, "'//'") // _number(right, "'//'"))


def _modulo(left: Any, right: Any) -> Any:
    return _sized(_number(left, "'%'") % _number(right, "'%'"))


def _negative(value: Any) -> Any:
    return -_number(value, "'-'")


def _len(value: Any) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise Trouble(f"len() counts the items of a list or the characters of a text, not {_kind(value)}.")


def _comparables(values: tuple[Any, ...], name: str) -> list[Any]:
    items = list(values[0]) if len(values) == 1 and isinstance(values[0], list | tuple) else list(values)
    if not items:
        raise Trouble(f"{name}() of nothing has no value.")
    if not all(isinstance(item, str) for item in items):
        for item in items:
            _number(item, f"{name}()")
    return items


def _min(*values: Any) -> Any:
    return min(_comparables(values, "min"))


def _max(*values: Any) -> Any:
    return max(_comparables(values, "max"))


def _abs(value: Any) -> Any:
    return abs(_number(value, "abs()"))


def _round(value: Any, digits: Any = 0) -> Any:
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 10:
        raise Trouble("round() takes a number and how many decimals to keep, 0 to 10.")
    number = _number(value, "round()")
    return round(number, digits) if digits else round(number)


def _str(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return str(value)
    raise Trouble(f"str() takes a number or a text, not {_kind(value)}.")


def _int(value: Any) -> int:
    if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 40):
        return int(_sized(int(value)))
    raise Trouble(f"int() takes a number or a text that is one, not {_kind(value)}.")


def _float(value: Any) -> float:
    if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 40):
        return float(_sized(float(value)))
    raise Trouble(f"float() takes a number or a text that is one, not {_kind(value)}.")


def _get(mapping: Any, key: Any, default: Any = None) -> Any:
    if mapping is None:
        return default
    if isinstance(mapping, Mapping) and isinstance(key, str):
        return mapping.get(key, default)
    raise Trouble(f"get() takes a mapping, a key and a default, not {_kind(mapping)}.")


def _kind(value: Any) -> str:
    if value is None:
        return "empty (null)"
    return _KINDS.get(type(value), "something else")


_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a mapping"}
ARITIES: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "len": (_len, 1, 1), "min": (_min, 1, 20), "max": (_max, 1, 20), "abs": (_abs, 1, 1), "round": (_round, 1, 2),
    "str": (_str, 1, 1), "int": (_int, 1, 1), "float": (_float, 1, 1), "bool": (bool, 1, 1), "get": (_get, 2, 3),
}
"""Function, least and most number of values, by the name in an expression."""
FUNCTIONS = frozenset(ARITIES)
"""The functions that an expression may call."""
VARIABLES = "_v"
"""The name of the parameter that holds the variables in compiled code."""
BINARY: Mapping[type[ast.operator], Callable[..., Any]] = MappingProxyType(
    {
        ast.Add: _add,
        ast.Sub: _subtract,
        ast.Mult: _multiply,
        ast.Div: _divide,
        ast.FloorDiv: _floor,
        ast.Mod: _modulo,
    }
)
HELPERS: Mapping[str, Any] = MappingProxyType(
    {"__builtins__": {}, "_name": _name, "_key": _key, "_item": _item, "_negative": _negative}
    | {function.__name__: function for function in BINARY.values()}
    | {f"_f_{name}": function for name, (function, _, _) in ARITIES.items()}
)
