"""The OpenAPI document: complete, and true of what the API does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.clock import MovableClock
from tests.web.api_world import BASE, World, open_shop
from web.api import PREFIX, routes
from web.api.endpoint import Route
from web.api.openapi import document

CONTRACT = {
    ("post", "/orders"), ("get", "/orders"), ("get", "/orders/{number}"), ("get", "/orders/{number}/history"),
    ("get", "/orders/{number}/documents/{name}"), ("post", "/orders/{number}/cancel"), ("get", "/tasks"),
    ("get", "/tasks/{id}"), ("post", "/tasks/{id}/claim"), ("post", "/tasks/{id}/release"),
    ("post", "/tasks/{id}/assign"), ("put", "/tasks/{id}/draft"), ("post", "/tasks/{id}/complete"),
    ("post", "/tasks/{id}/decide"), ("post", "/messages/{name}"), ("get", "/processes"),
    ("get", "/processes/{key}/versions"), ("post", "/processes/check"), ("post", "/processes/{key}/start"),
    ("get", "/instances/{id}"), ("get", "/jobs"), ("post", "/jobs/{id}/retry"), ("get", "/inventory"),
    ("get", "/payments"), ("get", "/incidents"), ("post", "/incidents/retry"), ("post", "/jobs/{id}/resolve"),
    ("post", "/processes"), ("post", "/processes/{key}/versions/{version}/consent"),
    ("post", "/processes/{key}/versions/{version}/return"), ("post", "/processes/{key}/versions/{version}/go-back"),
    ("get", "/drafts"), ("post", "/drafts"), ("get", "/drafts/{id}"), ("delete", "/drafts/{id}"),
    ("get", "/drafts/{id}/files/{folder}/{name}"), ("put", "/drafts/{id}/files"), ("post", "/drafts/{id}/check"),
    ("post", "/drafts/{id}/submit"), ("get", "/processes/{key}/impact"), ("post", "/processes/{key}/migrate"),
    ("get", "/processes/{key}/migrations/{id}"),
}  # fmt: skip
"""Calls that others build on. A call is never taken out of here."""
MAY_BE_EMPTY = {"/delegations/{id}/revoke", "/processes/{key}/versions/{version}/consent", "/drafts/{id}/check"}
"""Calls whose body may be left out."""


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(document(routes(), PREFIX)))
    return found


def operations(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield method, path.removeprefix(BASE), operation


def test_every_promised_call_is_described(openapi: dict[str, Any]) -> None:
    """What others build on is there."""
    assert {(method, path) for method, path, _ in operations(openapi)} >= CONTRACT


def test_the_document_is_served_to_everybody(world: World) -> None:
    """OpenAPI 3.1, without a token, so that tools can read it."""
    answer = world.of(None).get("/openapi.json")

    assert (answer.status_code, answer.json["openapi"]) == (200, "3.1.0")


def test_every_operation_says_what_may_go_wrong(openapi: dict[str, Any]) -> None:
    """Bodies are required, answers have schemas, and 401 and 422 are named; ids are unique, texts are there."""
    ids = [operation["operationId"] for _, _, operation in operations(openapi)]
    assert len(set(ids)) == len(ids)
    for method, path, operation in operations(openapi):
        assert operation["summary"], path
        assert {"401", "422"} <= operation["responses"].keys(), path
        if "{" in path and method == "get":
            assert "404" in operation["responses"], path
        if body := operation.get("requestBody"):
            assert body["required"] is (path not in MAY_BE_EMPTY), path
            assert {"413", "415"} <= operation["responses"].keys(), path
        assert set(re.findall(r"{(\w+)}", path)) == {
            parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"
        }


def test_every_schema_is_a_schema_and_every_reference_leads_somewhere(openapi: dict[str, Any]) -> None:
    """Generators of clients read it to the end."""
    for schema in openapi["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(openapi))):
        target: Any = openapi
        for part in reference.split("/"):
            target = target[part]


def test_bodies_are_closed(openapi: dict[str, Any]) -> None:
    """A field that the document does not name is refused, and the document says so."""
    schemas = openapi["components"]["schemas"]
    for _, path, operation in operations(openapi):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            assert schemas[content["schema"]["$ref"].rpartition("/")[2]]["additionalProperties"] is False, path


# --- the API does what the document says -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[World]:
    """One shop for all generated requests."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copy(sqlite_template, folder / "waybill.db")
    clock = MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    world = open_shop(f"sqlite:///{folder / 'waybill.db'}", clock, folder)
    world.place()
    yield world
    world.database.dispose()


@pytest.fixture(scope="module")
def described(fuzzed: World) -> Any:
    return schemathesis.openapi.from_wsgi(f"{BASE}/openapi.json", fuzzed.app)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_generated_requests_meet_the_document(
    described: Any, fuzzed: World, route: Route, mode: GenerationMode
) -> None:
    """Right and wrong requests of every call: no 500, only statuses, types and bodies that the document names.

    That every request of the right shape is taken is not asked: whether a product or a person exists, and whether a
    cursor is one of ours, no schema can say.
    """
    operation = described[PREFIX + re.sub(r"<(\w+)>", r"{\1}", route.path)][route.method]
    token = fuzzed.of("analyst" if route.tag in ("processes", "drafts") else "sales").token

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def answers_as_described(case: schemathesis.Case) -> None:
        # a parameter that is sent empty is as good as none, so it is no fault of the request
        is_empty = any(value in ("", [""]) for value in (case.query or {}).values())
        case.call_and_validate(
            headers={"Authorization": f"Bearer {token}"},
            checks=CHECKS.get_all(),
            excluded_checks=[positive_data_acceptance, *([negative_data_rejection] if is_empty else [])],
        )

    answers_as_described()
