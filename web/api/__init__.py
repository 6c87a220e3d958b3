"""The API under `/api/v1`: one file per resource, each declaring its calls (`endpoint`); `register_api` mounts them.

The app is a plain `Flask`; `register_api(app)` needs `web.auth.init_auth(app)` to have run. The blueprint is
called `api` and checks tokens, sessions and CSRF itself, so that a caller gets problem+json whatever is wrong.
"""

from __future__ import annotations

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from web import problems
from web.api import (
    access,
    comparing,
    drafts,
    gates,
    instances,
    inventory,
    jobs,
    mending,
    messages,
    migration,
    orders,
    payments,
    processes,
    questions,
    tasks,
)
from web.api.endpoint import Route, mount
from web.api.openapi import document
from web.health import register_health
from web.permissions import PUBLIC, permission
from web.services import KEY, Services

PREFIX = "/api/v1"
RESOURCES = (
    orders, tasks, gates, access, questions, messages, processes, comparing, migration, drafts, mending, instances,
    jobs, inventory, payments,
)  # fmt: skip


def routes() -> list[Route]:
    """Every call of the API."""
    return [route for resource in RESOURCES for route in resource.calls.routes]


def register_api(app: Flask, services: Services | None = None) -> None:
    """Mounts the API, the pages that explain its problems, and the health addresses.

    The services may also stand in `app.extensions["waybill"]` already.
    """
    if services is not None:
        app.extensions[KEY] = services
    blueprint = Blueprint("api", __name__)
    for route in routes():
        mount(blueprint, route)
    blueprint.add_url_rule("/openapi.json", "openapi", openapi)
    app.register_blueprint(blueprint, url_prefix=PREFIX)
    app.before_request(_unknown_call)
    problems.register_problem_pages(app)
    register_health(app)


@permission(PUBLIC)
def openapi() -> Response:
    """The OpenAPI 3.1 document."""
    return jsonify(document(routes(), PREFIX))


def _unknown_call() -> Response | None:
    """An address or a method that the API does not have is a problem too, not a page of HTML."""
    error = request.routing_exception
    if error is None or not request.path.startswith("/api/"):
        return None
    if isinstance(error, HTTPException) and (error.code or 500) < 400:
        return problems.response(problems.ApiProblem("not-found"))  # a redirect to the same address with a slash
    return problems.response(problems.problem_of_http(error))
