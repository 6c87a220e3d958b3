"""What the modeler's panel offers: teams, operations with parameters, and the draft's forms, tables and processes."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from engine.bundling import drawn
from engine.findings import local
from engine.safe_xml import parse_xml
from handlers.contract import FormContext, Operation, Parameter, Registry
from web.accounts import Team

_TYPES: dict[Any, str] = {str: "str", int: "int", float: "float", bool: "bool"}


def teams(known: Iterable[Team]) -> dict[str, list[tuple[str, str]]]:
    """The teams that may do a task, and those that may be told of a late one, each with its name."""
    there = [team for team in known if team.active]
    return {
        "teams": [(team.key, team.title) for team in there if team.works],
        "tellable": [(team.key, team.title) for team in there],
    }


def operations(registry: Registry) -> list[dict[str, Any]]:
    """Every operation as the panel needs it: where it can be used, what it takes, what it gives and refuses."""
    return [_operation(registry[name]) for name in registry]


def _operation(operation: Operation) -> dict[str, Any]:
    first, _, _ = operation.documentation.partition("\n\n")
    return {
        "name": operation.name,
        "kind": operation.kind,
        "use": _use(operation),
        "meaning": " ".join(first.split()).replace("`", ""),
        "parameters": [
            {
                "name": parameter.name, "type": _type(parameter), "required": parameter.required,
                "meaning": _meaning(parameter.name, operation.documentation),
            }
            for parameter in operation.parameters
        ],
        "gives": sorted(operation.gives or ()),
        "refusals": sorted(operation.refuses or ()),
        "attempts": operation.retry.attempts,
    }  # fmt: skip


def _use(operation: Operation) -> str:
    """Where it fits: `form` takes what was filled in, `context` fills a form beforehand, `plain` takes nothing and
    works in our database, `service` is for service tasks alone."""
    if [parameter.name for parameter in operation.parameters] == ["form"]:
        return "form"
    if operation.function is None:
        return "service"
    if typing.get_type_hints(operation.function).get("return") is FormContext:
        return "context"
    return "service" if operation.parameters else "plain"


def _type(parameter: Parameter) -> str:
    """The word that the diagram writes for the parameter's type; one that may be absent is of the type it is else."""
    wanted: Any = parameter.type
    kinds = [one for one in typing.get_args(wanted) if one is not type(None)]
    return _TYPES.get(kinds[0] if len(kinds) == 1 and type(None) in typing.get_args(wanted) else wanted, "object")


def _meaning(name: str, documentation: str) -> str:
    """The sentence of the documentation that names the parameter, if there is one."""
    text = " ".join(documentation.split())
    found = next((part for part in re.split(r"(?<=[.])\s+", text) if f"`{name}`" in part), "")
    return found.replace("`", "")


def contents(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The forms, decision tables, processes, diagrams and messages of a draft; what cannot be read is left out."""
    diagrams = sorted(name for name in files if name.endswith(".bpmn"))
    return {
        "files": sorted(files),
        "diagrams": diagrams,
        "processes": [
            {"id": one.id, "name": one.name or one.id, "file": file}
            for file in diagrams for one in drawn(file, files[file])
        ],
        "forms": [
            {"name": name.removeprefix("forms/"), "fields": _fields(data)}
            for name, data in sorted(files.items()) if name.endswith(".json") and not name.endswith(".ui.json")
        ],
        "decisions": [
            found for name, data in sorted(files.items()) if name.endswith(".dmn") for found in _decisions(name, data)
        ],
        "messages": sorted({name for file in diagrams for name in _messages(file, files[file])}),
    }  # fmt: skip


def _fields(data: bytes) -> list[str]:
    try:
        schema = json.loads(data)
    except (ValueError, RecursionError):
        return []
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return list(properties) if isinstance(properties, dict) else []


def _decisions(file: str, data: bytes) -> list[dict[str, Any]]:
    root = parse_xml(data, file)[0]
    return [
        {
            "id": node.get("id", ""), "name": " ".join(node.get("name", "").split()) or node.get("id", ""),
            "file": file, "outputs": [each.get("name", "") for each in node.iter("{*}output") if each.get("name")],
        }
        for node in (root if root is not None else ()) if local(node) == "decision"
    ]  # fmt: skip


def _messages(file: str, data: bytes) -> list[str]:
    root = parse_xml(data, file)[0]
    return [node.get("name", "") for node in (root if root is not None else ())
            if local(node) == "message" and node.get("name")]
