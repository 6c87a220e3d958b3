"""The OpenAPI 3.1 document, made from the calls as they are declared, so that it cannot say something else.

A library that owns the whole app (APIFlask) was left aside: it expects its own attributes on every blueprint, and the
pages' ones have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import BaseModel, Field
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from web.api.endpoint import Part, Route
from web.api.models import Output
from web.api.strict_json import DEEPEST, LARGEST_NUMBER
from web.permissions import PUBLIC, SIGNED
from web.problems import KINDS, MEDIA_TYPE

TITLE = "Waybill"
VERSION = "1"
_REFERENCE = "#/components/schemas/{model}"
_PART = re.compile(r"<(?:(?P<type>\w+):)?(?P<name>\w+)>")
_READERS = (401, 403, 422, 429)
"""Every call with a caller may fail with these."""


class FaultOut(Output):
    """What is wrong with one field."""

    field: str = Field(description="JSON pointer into the body, or the parameter's name after a slash.")
    message: str


class ProblemOut(Output):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="Address of a page that explains this kind of problem.")
    title: str
    status: int
    detail: str
    errors: list[FaultOut] | None = Field(None, description="For bad input: each field.")


Schemas = Mapping[tuple[type[BaseModel], JsonSchemaMode], dict[str, Any]]


def document(routes: Iterable[Route], prefix: str) -> dict[str, Any]:
    """The whole document. `prefix` stands before every path."""
    routes = list(routes)
    references, definitions = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = prefix + _PART.sub(r"{\g<name>}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": VERSION,
            "description": "Orders, the tasks of the people who work on them, and what connects a shop, a bank and "
            "couriers. Times are RFC 3339 in UTC, money is in minor units, lists go on with `next`.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": {_problem_name(status): _problem(status) for status in _statuses(routes)},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "From `waybill token create --user NAME`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "session",
                    "description": "The signed-in session; writes also need its CSRF token in the header X-CSRFToken.",
                },
            },
        },
    }


def _schemas(routes: list[Route]) -> tuple[Schemas, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemOut, "serialization"): None}
    for route in routes:
        if route.body is not None:
            wanted[(route.body, "validation")] = None
        for answer in route.returns.values():
            if not isinstance(answer, str):
                wanted[(answer, "serialization")] = None
    references, found = models_json_schema(list(wanted), ref_template=_REFERENCE)
    definitions = found.get("$defs", {})
    for name in _named_by([route.body for route in routes if route.body], references, definitions):
        _say_what_strings_hold(definitions[name])
    return cast(Schemas, references), {**definitions, "JsonValue": _JSON_VALUE}


_NO_NUL = r"^[^\u0000]*$"
_NOT_BLANK = r"^[^\u0000]*\S[^\u0000]*$"
_ANY = {"$ref": "#/components/schemas/JsonValue"}
_JSON_VALUE: dict[str, Any] = {
    "description": f"Any JSON value, nested up to {DEEPEST} levels, that databases and other readers can keep.",
    "anyOf": [
        {"type": ["boolean", "null"]},
        {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER},
        {"type": "string", "pattern": _NO_NUL},
        {"type": "array", "items": _ANY},
        {"type": "object", "additionalProperties": _ANY, "propertyNames": {"pattern": _NO_NUL}},
    ],
}


def _named_by(models: list[type[BaseModel]], references: Any, definitions: Mapping[str, Any]) -> set[str]:
    """Names of the models' definitions, with those that they refer to."""
    todo: list[Any] = [references[(model, "validation")] for model in models]
    names: set[str] = set()
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            name = str(one.get("$ref", "")).rpartition("/")[2]
            if name and name not in names:
                names.add(name)
                todo.append(definitions[name])
            todo.extend(one.values())
        elif isinstance(one, list):
            todo.extend(one)
    return names


def _say_what_strings_hold(schema: dict[str, Any]) -> None:
    """Adds to a body's schema what `strict_json` refuses in any body: NUL characters and numbers beyond a double."""
    for name, field in schema.get("properties", {}).items():
        for one in (field, field.get("items", {}), *field.get("anyOf", ())):
            if one.get("type") == "string" and "enum" not in one and "const" not in one:
                one["pattern"] = {None: _NO_NUL, r"\S": _NOT_BLANK}.get(one.get("pattern"), one.get("pattern"))
        if field.get("additionalProperties") is True:
            field |= {"additionalProperties": _ANY, "propertyNames": {"pattern": _NO_NUL}}
        elif not {"type", "$ref", "anyOf", "enum", "const"} & field.keys():
            schema["properties"][name] = {**field, **_ANY}


def _operation(route: Route, references: Schemas) -> dict[str, Any]:
    summary, _, rest = (route.view.__doc__ or route.name).strip().partition(". ")
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": summary.rstrip("."),
        "description": rest or summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": {str(status): _answer(route, status, references) for status in route.returns},
    }
    if not route.has_caller:
        operation["security"] = []
    if route.body is not None:
        schema = references[(route.body, "validation")]
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": not route.may_be_empty, "content": content}
    elif route.multipart:
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": _multipart(route)}}}
    for status in sorted(_problem_statuses(route)):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/{_problem_name(status)}"}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": part["name"],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        }
        for part in _PART.finditer(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template=_REFERENCE)
    return [_query_parameter(name, dict(one)) for name, one in schema["properties"].items()]


def _query_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    description = schema.pop("description", None)
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    if "anyOf" in schema:  # absent is absent: a query has no null
        schema |= next(one for one in schema.pop("anyOf") if one != {"type": "null"})
    if schema.get("type") == "string" and "enum" not in schema:
        schema["pattern"] = _NO_NUL
    parameter: dict[str, Any] = {"name": name, "in": "query", "required": False, "schema": schema}
    return {**parameter, "description": description} if description else parameter


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": header.name,
            "in": "header",
            "required": header.required,
            "description": header.description,
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": header.max_length,
                "pattern": r"^[!-~]([ -~]*[!-~])?$",
            },
        }
        for header in route.headers
    ]


def _answer(route: Route, status: int, references: Schemas) -> dict[str, Any]:
    answer = route.returns[status]
    if isinstance(answer, str):
        return {"description": "The bytes.", "content": {"*/*": {}}}
    description = (answer.__doc__ or "").strip().splitlines()[0]
    return {
        "description": description,
        "content": {"application/json": {"schema": references[(answer, "serialization")]}},
    }


def _multipart(route: Route) -> dict[str, Any]:
    parts = {name: _part(part) for name, part in route.multipart.items()}
    needed = [name for name, part in route.multipart.items() if part.required]
    return {"type": "object", "properties": parts, "required": needed, "additionalProperties": False}


def _part(part: Part) -> dict[str, Any]:
    if part.text:
        return {"type": "string", "description": part.description, "pattern": _NO_NUL}
    items = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {"type": "array", "description": part.description, "items": items}


def _problem_statuses(route: Route) -> set[int]:
    statuses = set(route.problems)
    if route.permission != PUBLIC:
        statuses |= {401, 422} if route.permission == SIGNED else set(_READERS)
    if route.body is not None or route.multipart:
        statuses |= {413, 415}
    return statuses


def _statuses(routes: list[Route]) -> list[int]:
    return sorted(set().union(*(_problem_statuses(route) for route in routes)))


def _problem_name(status: int) -> str:
    return f"Problem{status}"


def _problem(status: int) -> dict[str, Any]:
    kinds = [kind for kind in KINDS.values() if kind.status == status]
    types = "; ".join(f"`{kind.type}` {kind.title}" for kind in kinds)
    return {
        "description": f"{types}.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
    }
