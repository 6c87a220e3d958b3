"""How a call is declared and run: parse, check, call the view, translate what it raises. Views hold no more HTTP.

A view is a function of the caller, of `body` and `query` when it declares their models, and of the path's parts:

    @calls.post("/orders/<number>/cancel", permission="orders.cancel", body=Cancel, returns={202: OrderOut})
    def cancel_order(caller: Caller, number: str, body: Cancel) -> Reply: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
import structlog
from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import StatementError
from werkzeug.exceptions import HTTPException

from engine.errors import DatabaseTrouble
from handlers.contract import FieldError, WaybillError
from web import problems, webhooks
from web.api import strict_json
from web.api.auth import caller_of_request
from web.permissions import PUBLIC, SIGNED
from web.problems import ApiProblem, bad_input
from web.services import current_services

log = structlog.get_logger(__name__)
V = TypeVar("V", bound=Callable[..., Any])

JSON_LIMIT = 4 * 1024 * 1024
"""Bytes of a JSON body. A field with a megabyte of text still fits, so that the answer names the field."""
LONGEST_PATH_PART = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with another status than the first that the call declares."""

    body: BaseModel
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """A request header that a call reads."""

    name: str
    description: str
    max_length: int
    required: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body: files, or a text."""

    description: str
    text: bool = False
    required: bool = False


@dataclass(frozen=True)
class Route:
    """One call as it is declared: what the dispatcher and the OpenAPI document both read."""

    method: str
    path: str
    view: Callable[..., Any]
    tag: str
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    returns: Mapping[int, type[BaseModel] | str]
    """Per status the answer's model, or a media type for bytes."""
    problems: tuple[int, ...]
    headers: tuple[Header, ...]
    permission: str
    """One of `web.permissions`; PUBLIC and SIGNED calls have no caller."""
    multipart: Mapping[str, Part]
    """The parts of a multipart body by name."""
    limit: int
    may_be_empty: bool = False
    """Whether the body may be left out; it then has its defaults."""

    @property
    def name(self) -> str:
        return self.view.__name__

    @property
    def has_caller(self) -> bool:
        return self.permission not in (PUBLIC, SIGNED)

    @property
    def first_status(self) -> int:
        return next(iter(self.returns))


class Calls:
    """The calls of one resource; its file declares them, `register_api` mounts them."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.routes: list[Route] = []

    def get(self, path: str, **options: Any) -> Callable[[V], V]:
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[V], V]:
        return self.route("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[V], V]:
        return self.route("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[V], V]:
        return self.route("DELETE", path, **options)

    def route(
        self,
        method: str,
        path: str,
        *,
        permission: str,
        returns: Mapping[int, type[BaseModel] | str],
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        problems: tuple[int, ...] = (),
        headers: tuple[Header, ...] = (),
        multipart: Mapping[str, Part] | None = None,
        limit: int = JSON_LIMIT,
        may_be_empty: bool = False,
    ) -> Callable[[V], V]:
        """Declares a call. `problems` are the statuses it may fail with beside those every such call has."""

        def declare(view: V) -> V:
            self.routes.append(
                Route(method, path, view, self.tag, body, query, returns, problems, headers, permission,
                      multipart or {}, limit, may_be_empty)
            )  # fmt: skip
            return view

        return declare


def mount(blueprint: Blueprint, route: Route) -> None:
    """Adds a declared call to the blueprint."""

    def handle(**path: Any) -> Response:
        try:
            return _answer(route, path)
        except ApiProblem as error:
            return problems.response(error)
        except WaybillError as error:
            if isinstance(error, DatabaseTrouble):
                log.warning("database", call=route.name, trouble=error.sentence, cause=error.cause)
            return problems.response(problems.problem_of(error))
        except HTTPException as error:
            return problems.response(problems.problem_of_http(error))
        except Exception as error:
            if isinstance(error, StatementError) and isinstance(error.orig, OverflowError):
                # a number or a time, say in a made-up cursor, that no column can hold
                return problems.response(bad_input(FieldError("", "A value is beyond what can be stored.")))
            log.exception("call failed", call=route.name)
            return problems.response(ApiProblem("failed"))

    handle.__permission__ = route.permission  # type: ignore[attr-defined]
    handle.__doc__ = route.view.__doc__
    blueprint.add_url_rule(route.path, route.name, handle, methods=[route.method])


def _answer(route: Route, path: Mapping[str, Any]) -> Response:
    request.max_content_length = route.limit
    arguments: dict[str, Any] = dict(path)
    if route.has_caller:
        arguments["caller"] = caller_of_request(current_services(), route.permission)
    if any(isinstance(part, str) and ("\x00" in part or len(part) > LONGEST_PATH_PART) for part in path.values()):
        raise ApiProblem("not-found")
    if route.permission != SIGNED:  # a signature's headers are judged with the signature
        arguments.update(_headers(route))
    query = read_query(route.query)
    if query is not None:
        arguments["query"] = query
    if route.permission == SIGNED:
        arguments["message_id"] = _verified()
    if route.body is not None:
        arguments["body"] = read_body(route.body, may_be_empty=route.may_be_empty)
    elif route.method != "GET" and not route.multipart and route.has_caller:
        _no_body()
    result = route.view(**arguments)
    if isinstance(result, Response):
        return result
    if isinstance(result, Reply):
        return _json(result.body, result.status, result.headers)
    return _json(result, route.first_status, {})


def _json(body: BaseModel, status: int, headers: Mapping[str, str]) -> Response:
    answer = Response(body.model_dump_json(by_alias=True), status, content_type="application/json")
    answer.headers.update(headers)
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


def _verified() -> str:
    services = current_services()
    secret = services.settings.webhook_secret
    return webhooks.verify(secret, request.get_data(), request.headers, services.wall_clock.now())


def _headers(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for header in route.headers:
        value = request.headers.get(header.name)
        if value is not None and (len(value) > header.max_length or not value.strip() or not value.isprintable()):
            message = f"The header {header.name} takes 1 to {header.max_length} printable characters."
            raise bad_input(FieldError(f"/{header.name}", message))
        if value is None and header.required:
            raise bad_input(FieldError(f"/{header.name}", f"The header {header.name} is required."))
        found[header.name.lower().replace("-", "_")] = value
    return found


def read_query(model: type[BaseModel] | None) -> BaseModel | None:
    """The query as its model; a 422 that names each parameter that is unknown, repeated or wrong."""
    errors = [
        FieldError(strict_json.pointer(name), "Give this parameter once.")
        for name, values in request.args.lists()
        if len(values) > 1
    ]
    values = {name: value for name, value in request.args.items() if value}
    errors += [
        FieldError(strict_json.pointer(name), "This text holds a NUL character.")
        for name, value in values.items()
        if "\x00" in name or "\x00" in value
    ]
    if errors:
        raise bad_input(*errors)
    if model is None:
        if values:
            raise bad_input(
                *(FieldError(strict_json.pointer(name), "This call has no such parameter.") for name in values)
            )
        return None
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise bad_input(*field_errors(error)) from None


def read_body(model: type[BaseModel], *, may_be_empty: bool = False) -> BaseModel:
    """The JSON body as its model; 413, 415, or a 422 that names each field."""
    raw = request.get_data()
    if may_be_empty and not raw.strip():
        return model()
    if not raw.strip():
        raise bad_input(FieldError("", "Send a JSON object; the request has no body."))
    if request.mimetype != "application/json":
        raise ApiProblem("wrong-content-type", "Send the body as application/json.")
    try:
        return model.model_validate_json(orjson.dumps(strict_json.parse(raw)))
    except strict_json.NotJsonError as error:
        raise bad_input(FieldError("", str(error))) from None
    except strict_json.BadValuesError as error:
        raise bad_input(*error.errors) from None
    except ValidationError as error:
        raise bad_input(*field_errors(error)) from None


def _no_body() -> None:
    if request.get_data(cache=False).strip() not in (b"", b"{}"):
        raise bad_input(FieldError("", "This call takes no body."))


_SENTENCES: Mapping[str, str] = {
    "missing": "This field is required.",
    "extra_forbidden": "There is no such field here.",
    "string_type": "This must be a text.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_from_float": "This must be a whole number.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "list_type": "This must be a list.",
    "dict_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "string_too_long": "At most {max_length} characters.",
    "string_too_short": "At least {min_length} characters.",
    "too_long": "At most {max_length} entries.",
    "too_short": "At least {min_length} entries.",
    "greater_than_equal": "This must be at least {ge}.",
    "less_than_equal": "This must be at most {le}.",
    "literal_error": "This must be one of {expected}.",
    "enum": "This must be one of {expected}.",
    "string_pattern_mismatch": "This does not have the form {pattern}.",
}


def field_errors(error: ValidationError) -> list[FieldError]:
    """What pydantic found, as pointers and sentences."""
    found = error.errors(include_url=False, include_input=False)
    return [FieldError(strict_json.pointer(*one["loc"]), _sentence(one)) for one in found[: problems.MOST_ERRORS]]


def _sentence(one: ErrorDetails) -> str:
    values = one.get("ctx", {})
    if values.get("min_length") == 1 or values.get("pattern") == r"\S":
        return "This must not be empty."
    template = _SENTENCES.get(one["type"])
    return template.format(**values) if template else one["msg"] + "."
