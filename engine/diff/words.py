"""How kinds, durations and values of a diagram are written for people."""

from __future__ import annotations

import re
from typing import Any

from engine.timer_texts import plain_timer

_KINDS = {
    "userTask": "user task",
    "serviceTask": "service task",
    "businessRuleTask": "decision task",
    "scriptTask": "script task",
    "receiveTask": "receive task",
    "exclusiveGateway": "gateway",
    "eventBasedGateway": "event gateway",
    "sequenceFlow": "flow",
    "textAnnotation": "note",
    "association": "link of a note",
    "subProcess": "subprocess",
    "participant": "pool",
    "dataObjectReference": "data object",
    "dataStoreReference": "data store",
}
_PART = re.compile(r"(\d+(?:\.\d+)?)([YMWDHS])")
_DURATION = re.compile(r"P(?=.)((?:\d+[YMWD])*)(?:T((?:\d+(?:\.\d+)?[HMS])+))?")
_DATE_UNITS = {"Y": ("year", "years"), "M": ("month", "months"), "W": ("week", "weeks"), "D": ("day", "days")}
_TIME_UNITS = {"H": ("h", "h"), "M": ("min", "min"), "S": ("s", "s")}


def spaced(name: str) -> str:
    """`intermediateCatchEvent` → `intermediate catch event`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def kind_words(tag: str, events: tuple[str, ...]) -> str:
    """What an element is called: its tag, and the kinds of its event definitions."""
    if tag.endswith("Event"):
        place = {"startEvent": "start event", "endEvent": "end event"}.get(tag, "event")
        return " ".join((*(spaced(event) for event in events), place))
    return _KINDS.get(tag) or spaced(tag)


def duration_words(text: str) -> str:
    """`PT2H` → `2 h`, `P1D` → `1 day`; anything else as it stands."""
    plain = plain_timer(text)
    match = _DURATION.fullmatch(plain)
    if match is None:
        return plain
    parts = [
        f"{number} {units[unit][number != '1']}"
        for group, units in ((match[1], _DATE_UNITS), (match[2], _TIME_UNITS))
        for number, unit in _PART.findall(group or "")
    ]
    return " ".join(parts) or plain


def cycle_words(text: str) -> str:
    """`R3/P3D` → `every 3 days, 3 times`; `R/P1D` → `every day`."""
    plain = plain_timer(text)
    match = re.fullmatch(r"R(\d*)/(P[^/]+)", plain)
    if match is None:
        return plain
    return f"every {duration_words(match[2]).removeprefix('1 ')}" + (f", {match[1]} times" if match[1] else "")


def team_words(value: str) -> str:
    """`stock-approvers` → `Stock approvers`; a list keeps its commas."""
    names = [part.strip().replace("-", " ").replace("_", " ") for part in value.split(",")]
    return ", ".join(name[:1].upper() + name[1:] for name in names)


def value_words(value: Any) -> str:
    """A value of a form's schema: `yes`, `12`, `a, b`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value_words(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {value_words(entry)}" for key, entry in value.items())
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return "nothing" if value is None else str(value)


def counted(number: int, one: str) -> str:
    """`1 field`, `6 fields`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"
