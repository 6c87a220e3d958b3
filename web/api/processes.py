"""Processes: what is deployed, whether a bundle could be, starting an instance of any of them."""

from __future__ import annotations

from typing import Any, Literal

from flask import request
from pydantic import Field

from engine.definitions import Bundle
from engine.errors import InvalidForm, NotFound
from engine.views import VersionView
from handlers.contract import FieldError, Problem
from web import queries
from web.api.auth import Caller
from web.api.endpoint import Calls, Reply
from web.api.instances import InstanceOut, instance_body
from web.api.models import BusinessKey, Input, Listing, Output, Paging, Time, cursor_of, read_cursor, under
from web.permissions import allowed
from web.problems import ApiProblem, bad_input, cannot_deploy, finding_body

calls = Calls("processes")

BUNDLE_LIMIT = 20 * 1024 * 1024
MOST_FILES = 200


class VersionOut(Output):
    """One deployed version of a process."""

    key: str
    name: str
    version: int
    base_version: int | None
    content_hash: str
    origin: str = Field(description="folder or upload")
    reason: str
    deployed_by: str
    consented_by: str | None
    deployed_at: Time
    open_instances: int


class VersionList(Listing[VersionOut]):
    """A page of versions."""


class FindingOut(Output):
    """One thing the linter says about a bundle."""

    file: str
    element: str | None
    name: str | None
    line: int | None
    rule: str
    message: str
    advice: str
    severity: Literal["error", "warning"]


class CheckOut(Output):
    """A bundle that can be deployed, with the linter's warnings."""

    deployable: bool
    findings: list[FindingOut]


class Start(Input):
    """A new instance. The same business key again gives the one that is there."""

    business_key: BusinessKey
    data: dict[str, Any] = Field(
        default_factory=dict,
        description="The instance's first variables; for order_fulfillment the form of step 1.",
    )


@calls.get("/processes", permission="processes.read", query=Paging, returns={200: VersionList})
def list_processes(caller: Caller, query: Paging) -> VersionList:
    """List the processes, each with its newest version."""
    newest: dict[str, VersionView] = {}
    for version in caller.services.engine.versions():
        if version.key not in newest or version.version > newest[version.key].version:
            newest[version.key] = version
    after = read_cursor(query.cursor, str)
    rows = [newest[key] for key in sorted(newest) if after is None or key > str(after[0])]
    shown = rows[: query.size]
    more = cursor_of(shown[-1].key) if len(rows) > len(shown) else None
    return VersionList(items=[VersionOut.model_validate(row) for row in shown], next=more)


@calls.get(
    "/processes/<key>/versions", permission="processes.read", query=Paging,
    returns={200: VersionList}, problems=(404,),
)  # fmt: skip
def list_versions(caller: Caller, key: str, query: Paging) -> VersionList:
    """List the versions of a process, newest first."""
    after = read_cursor(query.cursor, int)
    versions = sorted(caller.services.engine.versions(key), key=lambda version: -version.version)
    if not versions:
        raise NotFound(f"There is no process {key}.")
    rows = [version for version in versions if after is None or version.version < int(after[0])]
    shown = rows[: query.size]
    more = cursor_of(shown[-1].version) if len(rows) > len(shown) else None
    return VersionList(items=[VersionOut.model_validate(row) for row in shown], next=more)


@calls.post(
    "/processes/check",
    permission="processes.write",
    multipart={
        "diagram": "One or more .bpmn files.",
        "forms": "Any number of .json files: forms and their .ui.json.",
        "decisions": "Any number of .dmn files.",
    },
    returns={200: CheckOut},
    limit=BUNDLE_LIMIT,
)
def check_bundle(caller: Caller) -> CheckOut:
    """Check whether a bundle could be deployed. 422 names every problem with its element."""
    findings = caller.services.engine.check(_uploaded_bundle())
    if any(finding.severity == "error" for finding in findings):
        raise cannot_deploy(findings)
    return CheckOut(deployable=True, findings=[FindingOut(**finding_body(finding)) for finding in findings])


_PARTS = {"diagram": ("processes", ".bpmn"), "decisions": ("processes", ".dmn"), "forms": ("forms", ".json")}


def _uploaded_bundle() -> Bundle:
    if request.mimetype != "multipart/form-data":
        raise ApiProblem("wrong-content-type", "Send the files as multipart/form-data.")
    request.max_form_parts = MOST_FILES
    files: dict[str, bytes] = {}
    errors = [
        FieldError(f"/{part}", "There is no such part; there are diagram, forms and decisions.")
        for part in {*request.files, *request.form} - _PARTS.keys()
    ]
    for part, (folder, suffix) in _PARTS.items():
        for upload in request.files.getlist(part):
            name = (upload.filename or "").replace("\\", "/").rpartition("/")[2]
            if not name.endswith(suffix) or "\x00" in name or f"{folder}/{name}" in files:
                errors.append(FieldError(f"/{part}", f"Each file needs a name of its own that ends with {suffix}."))
                continue
            files[f"{folder}/{name}"] = upload.read()
    if not request.files.getlist("diagram"):
        errors.append(FieldError("/diagram", "Send at least one diagram."))
    if errors:
        raise bad_input(*errors)
    return Bundle(files)


@calls.post(
    "/processes/<key>/start", permission="instances.start", body=Start,
    returns={201: InstanceOut, 200: InstanceOut}, problems=(404, 409),
)  # fmt: skip
def start_process(caller: Caller, key: str, body: Start) -> Reply:
    """Start an instance of a deployed process. The same business key again is 200 and changes nothing."""
    engine = caller.services.engine
    if not engine.versions(key):
        raise NotFound(f"There is no process {key}.")
    is_order = key == queries.PROCESS
    if is_order and not allowed(caller.actor.teams, "orders.create"):
        raise ApiProblem("not-allowed")
    try:
        # an order's variables are written by its own forms and operations alone, so its data is the form of step 1
        given: dict[str, Any] = {"submit": body.data or None} if is_order else {"variables": body.data}
        view, new = engine.start(key, body.business_key, caller.actor, **given)
    except (InvalidForm, Problem) as error:
        raise bad_input(*(under("/data", one) for one in error.errors)) from None
    if view.process != key:
        raise ApiProblem("conflict", f"The business key {body.business_key} belongs to an instance of {view.process}.")
    return Reply(InstanceOut(**instance_body(view)), 201 if new else 200)
