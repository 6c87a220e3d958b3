"""What starting an instance of a process asks for: the form of its start event or of its first user task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lxml import etree

from engine.lint.names import listed
from engine.standard import BPMN

if TYPE_CHECKING:
    from engine.base import EngineBase
    from engine.definitions import Definition, Element

_B = f"{{{BPMN}}}"


@dataclass(frozen=True, slots=True)
class Starting:
    """What a person is shown before an instance of a process is started."""

    key: str
    name: str
    version: int
    kind: Literal["variables", "task", "none"]
    """What the form is: the instance's first variables, the form of its first task, or there is none."""
    form: Mapping[str, Any]
    """A JSON Schema; empty when nothing is asked."""
    ui: Mapping[str, Any]
    task: str | None
    """The name of the first user task, when the process begins with one."""
    team: str | None
    """Who does it."""


def starting(engine: EngineBase, key: str) -> Starting:
    """What the newest version of a process asks for when it is started. NotFound."""
    with engine.reading() as session:
        definition = engine.library.newest(session, key)
    diagram = definition.diagram(key)
    begin, first = _first(definition, key)
    name, version = diagram.name, definition.version
    task = first.name if first is not None else None
    team = first.properties.get("team") if first is not None else None
    given = definition.form(begin) if begin is not None else {}
    if given and begin is not None:
        return Starting(key, name, version, "variables", given, definition.ui(begin), task, team)
    names = listed(diagram.properties.get("startsWith", ""))
    if names:
        return Starting(key, name, version, "variables", _plain_form(names), {}, task, team)
    # a form that an operation prepares has nothing to prepare it from yet
    if first is not None and not first.is_approval and "formContext" not in first.properties:
        return Starting(key, name, version, "task", definition.form(first), definition.ui(first), task, team)
    return Starting(key, name, version, "none", {}, {}, task, team)


def values_of(found: Starting, data: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that a person has typed without a form: numbers, true and false are read as such."""
    is_plain = found.kind == "variables" and found.form.get("$comment") == _PLAIN
    return {name: _value(value) if is_plain else value for name, value in data.items()}


_PLAIN = "startsWith"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,9})?")
"""What is meant as a number: `0123` is an article's or a customer's, and its zero counts."""


def _plain_form(names: list[str]) -> dict[str, Any]:
    field = {"type": "string", "maxLength": 500, "description": "A text, a number, or true or false."}
    return {
        "type": "object", "additionalProperties": False, "$comment": _PLAIN, "required": names,
        "properties": {name: {**field, "title": name.replace("_", " ").capitalize()} for name in names},
    }


def _value(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    plain = text.strip()
    if plain.lower() in ("true", "false"):
        return plain.lower() == "true"
    if _NUMBER.fullmatch(plain):
        number = float(plain) if "." in plain else int(plain)
        if abs(number) < 2**53:
            return number
    return text


def _first(definition: Definition, key: str) -> tuple[Element | None, Element | None]:
    """The start event of a process, and the user task that it leads to at once."""
    elements = definition.diagram(key).elements
    root = etree.fromstring(definition.xml(key).encode())
    process = next((node for node in root.iter(f"{_B}process") if node.get("id") == key), None)
    begin = process.find(f"{_B}startEvent") if process is not None else None
    if process is None or begin is None:
        return None, None
    targets = [
        flow.get("targetRef", "") for flow in process.iterfind(f"{_B}sequenceFlow")
        if flow.get("sourceRef") == begin.get("id")
    ]
    first = elements.get(targets[0]) if len(targets) == 1 else None
    return elements.get(begin.get("id", "")), first if first is not None and first.kind == "userTask" else None
