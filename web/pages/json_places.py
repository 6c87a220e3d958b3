"""Where in a JSON text a value stands: JSON pointer → line and column, so that a finding leads to its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text, counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class _Holder:
    """An object or a list that is being read."""

    path: str
    is_list: bool
    key: str | int
    awaits_key: bool


def places(text: str) -> dict[str, Place]:
    """Every value of a JSON text by its pointer; a member of an object stands where its key stands.

    Only for a text that a parser has accepted; of any other the result is of no use, but it always comes.
    """
    found = {"": Place(1, 1)}
    open_ones: list[_Holder] = []
    for sign, place in _tokens(text):
        holder = open_ones[-1] if open_ones else None
        if sign in "}]":
            if open_ones:
                open_ones.pop()
        elif sign == ",":
            if holder and holder.is_list and isinstance(holder.key, int):
                holder.key += 1
            elif holder:
                holder.awaits_key = True
        elif sign == ":":
            continue
        elif holder and holder.awaits_key:
            holder.key, holder.awaits_key = _string(sign), False
            found[f"{holder.path}/{holder.key}"] = place
        else:
            path = f"{holder.path}/{holder.key}" if holder else ""
            found.setdefault(path, place)
            if sign in "{[":
                open_ones.append(_Holder(path, sign == "[", 0 if sign == "[" else "", sign == "{"))
    return found


def place_of(found: dict[str, Place], pointer: str) -> Place:
    """Where the value at `pointer` stands; where it is not there, the nearest value around it."""
    while pointer and pointer not in found:
        pointer = pointer.rpartition("/")[0]
    return found[pointer]


def _tokens(text: str) -> Iterator[tuple[str, Place]]:
    line, start, at = 1, 0, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        last = text.rfind("\n", at, match.start())
        start = last + 1 if last >= 0 else start
        at = match.start()
        yield match[0], Place(line, at - start + 1)


def _string(sign: str) -> str:
    try:
        return str(json.loads(sign))
    except ValueError:
        return sign.strip('"')
