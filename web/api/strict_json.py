"""Reads a JSON body so that what is stored is what was meant: no duplicate keys, no NaN, nothing a database refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from handlers.contract import FieldError

DEEPEST = 32
MOST_FAULTS = 100
LARGEST_NUMBER = 2**53
"""Beyond this a double loses whole numbers, so readers in other languages would see another value."""


class NotJsonError(ValueError):
    """A text that is not JSON, or JSON that has no one meaning."""


class BadValuesError(ValueError):
    """JSON with values that cannot be kept. `errors` names each."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(f"{len(errors)} values cannot be kept")
        self.errors = errors


def parse(raw: bytes) -> Any:
    """The document in `raw`. Raises `NotJsonError` or `BadValuesError`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJsonError("The body is not UTF-8.") from None
    try:
        document = json.loads(
            text, object_pairs_hook=_one_value_per_key, parse_constant=_no_constant, parse_float=_number
        )
    except RecursionError:
        raise NotJsonError(f"The body is nested deeper than {DEEPEST} levels.") from None
    except json.JSONDecodeError as error:
        raise NotJsonError(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except NotJsonError:
        raise
    except ValueError:  # a number with thousands of digits
        raise NotJsonError("The body holds a number that is too long.") from None
    errors = list(islice(_faults(document), MOST_FAULTS))
    if errors:
        raise BadValuesError(errors)
    return document


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901); safe to show, whatever the keys hold."""
    return "".join("/" + _shown(str(part).replace("~", "~0").replace("/", "~1")) for part in parts)


def _shown(text: str) -> str:
    short = text if len(text) <= 80 else text[:77] + "…"
    return short.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\0")


def _one_value_per_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise NotJsonError(f"The body names the field “{_shown(twice)}” twice in one object.")
    return document


def _no_constant(name: str) -> NoReturn:
    raise NotJsonError(f"The body holds {name}, which is no JSON number.")


def _number(text: str) -> int | float:
    """`2.0` is the whole number 2, as JSON Schema has it."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= LARGEST_NUMBER else number


def _faults(document: Any) -> Iterator[FieldError]:
    """Walks without recursion: the depth is part of what is checked."""
    todo: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, str):
            if fault := _text_fault(value):
                yield FieldError(pointer(*path), fault)
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, (int, float)):
            if not abs(value) <= LARGEST_NUMBER:
                yield FieldError(pointer(*path), "This number is too large.")
        elif len(path) >= DEEPEST:
            yield FieldError(pointer(*path), f"This is nested deeper than {DEEPEST} levels.")
        elif isinstance(value, list):
            todo.extend(((*path, index), item) for index, item in enumerate(value))
        else:
            for key, item in value.items():
                if fault := _text_fault(key):
                    yield FieldError(pointer(*path, key), fault)
                todo.append(((*path, key), item))


def _text_fault(text: str) -> str | None:
    if "\x00" in text:
        return "This text holds a NUL character."
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "This text holds half a character (a lone surrogate)."
    return None
