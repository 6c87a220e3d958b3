"""Processes: their versions, checking a bundle, asking for consent and consenting, going back, starting an instance."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from engine.definitions import Bundle
from engine.deployment import LONGEST_REASON
from engine.errors import InvalidForm, NotFound
from engine.views import VersionState, VersionView
from handlers.contract import Problem
from web import queries
from web.api.auth import Caller
from web.api.endpoint import Calls, Part, Reply
from web.api.instances import InstanceOut, instance_body
from web.api.models import BusinessKey, Input, Listing, Output, Paging, Time, cursor_of, read_cursor, under
from web.api.uploads import BASE, BUNDLE_LIMIT, FILES, read_upload, whole
from web.problems import ApiProblem, bad_input, cannot_deploy, finding_body

calls = Calls("processes")

Reason = Annotated[str, StringConstraints(pattern=r"\S", max_length=LONGEST_REASON)]
_VERSION = "/processes/<key>/versions/<version>"


class VersionOut(Output):
    """One version of a process: deployed, waiting for a second analyst's consent, or returned."""

    key: str
    name: str
    version: int
    base_version: int | None = Field(description="The version it was made on.")
    state: VersionState
    content_hash: str
    origin: str = Field(description="folder, upload, draft or back (an older version again)")
    reason: str
    deployed_by: str = Field(description="Who made it and asked for consent.")
    consented_by: str | None
    deployed_at: Time = Field(description="When it was deployed; until then, when consent was asked for.")
    answered_at: Time | None = Field(description="When the second analyst consented or returned it.")
    answered_by: str | None
    answer: str = Field(description="What the second analyst wrote.")
    open_instances: int


class VersionList(Listing[VersionOut]):
    """A page of versions."""


class Proposed(VersionOut):
    """The new version; `items` has all of them when the bundle holds several processes that stand for themselves."""

    items: list[VersionOut]


class ChoiceOut(Output):
    """One fix of an element."""

    fix: str
    label: str = Field(description="What it does, as the words on a button.")


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
    fix: str | None = Field(None, description="The mending that would put it right, if there is one.")
    label: str | None = Field(None, description="What that does, as the words on a button.")
    others: list[ChoiceOut] = Field(default_factory=list, description="Further mendings to choose from.")


class CheckOut(Output):
    """A bundle that can be deployed, with the linter's warnings."""

    deployable: bool
    findings: list[FindingOut]


class ProcessQuery(Paging):
    """Which versions."""

    state: VersionState | None = Field(None, description="Instead of the newest of each process: all in this state.")


class Consent(Input):
    """A second analyst's consent."""

    comment: str = Field("", max_length=LONGEST_REASON)


class Return(Input):
    """Why a version is not consented to."""

    comment: Reason


class GoBack(Input):
    """Why an older version is to be the newest again."""

    reason: Reason


class Start(Input):
    """A new instance. The same business key again gives the one that is there."""

    business_key: BusinessKey
    data: dict[str, Any] = Field(
        default_factory=dict,
        description="The instance's first variables; for order_fulfillment the form of step 1.",
    )


@calls.get("/processes", permission="processes.read", query=ProcessQuery, returns={200: VersionList})
def list_processes(caller: Caller, query: ProcessQuery) -> VersionList:
    """List the processes, each with its newest deployed version. `?state=awaiting_consent` lists what waits for a
    second analyst instead."""
    found = caller.services.engine.versions()
    if query.state is None:
        newest: dict[str, VersionView] = {}
        for version in found:
            if version.state == "deployed":
                newest.setdefault(version.key, version)  # newest first
        found = list(newest.values())
    else:
        found = [version for version in found if version.state == query.state]
    after = read_cursor(query.cursor, str, int)
    found.sort(key=lambda version: (version.key, version.version))
    rows = [one for one in found if after is None or (one.key, one.version) > (str(after[0]), int(after[1]))]
    shown = rows[: query.size]
    more = cursor_of(shown[-1].key, shown[-1].version) if len(rows) > len(shown) else None
    return VersionList(items=[VersionOut.model_validate(row) for row in shown], next=more)


@calls.get(
    "/processes/<key>/versions", permission="processes.read", query=Paging,
    returns={200: VersionList}, problems=(404,),
)  # fmt: skip
def list_versions(caller: Caller, key: str, query: Paging) -> VersionList:
    """List the versions of a process, newest first, also those that wait for consent or were returned."""
    after = read_cursor(query.cursor, int)
    versions = caller.services.engine.versions(key)
    if not versions:
        raise NotFound(f"There is no process {key}.")
    rows = [version for version in versions if after is None or version.version < int(after[0])]
    shown = rows[: query.size]
    more = cursor_of(shown[-1].version) if len(rows) > len(shown) else None
    return VersionList(items=[VersionOut.model_validate(row) for row in shown], next=more)


@calls.post(
    "/processes/check", permission="processes.write", multipart={**FILES, **BASE}, returns={200: CheckOut},
    limit=BUNDLE_LIMIT,
)  # fmt: skip
def check_bundle(caller: Caller) -> CheckOut:
    """Check whether a bundle could be deployed. With `base_version` the files are laid over that version's. 422 names
    every problem with its element."""
    engine = caller.services.engine
    files, _ = whole(engine, read_upload(*BASE))
    findings = engine.check(Bundle(files))
    if any(finding.severity == "error" for finding in findings):
        raise cannot_deploy(findings)
    return CheckOut(deployable=True, findings=[FindingOut(**finding_body(finding)) for finding in findings])


@calls.post(
    "/processes", permission="processes.write",
    multipart={**FILES, "reason": Part("Why; kept with the version.", text=True, required=True), **BASE},
    returns={201: Proposed, 202: Proposed}, problems=(409,), limit=BUNDLE_LIMIT,
)  # fmt: skip
def propose_version(caller: Caller) -> Reply:
    """Make a new version of a process, or a new process. 202: it waits for another analyst's consent; 201: it is
    deployed. With `base_version` the files are laid over that version's, and 409 says when it is no longer the newest;
    without it they stand alone and are a new process. The same call again changes nothing. 422 names every problem."""
    engine = caller.services.engine
    upload = read_upload("reason", *BASE)
    files, key = whole(engine, upload)
    versions = engine.propose(
        Bundle(files), caller.actor, reason=upload.texts.get("reason", ""), base_version=upload.base_version, key=key)
    return proposed(versions, key)


@calls.post(
    f"{_VERSION}/consent", permission="processes.write", body=Consent, may_be_empty=True, returns={200: VersionOut},
    problems=(404, 409),
)  # fmt: skip
def consent_to_version(caller: Caller, key: str, version: str, body: Consent) -> VersionOut:
    """Consent to a version that waits, and so deploy it: another analyst, or an administrator. 403 `own-version` for
    whoever made it or changed its draft. 409 when another version was deployed meanwhile. The same consent again
    changes nothing."""
    return VersionOut.model_validate(caller.services.engine.consent(key, _number(version), caller.actor, body.comment))


@calls.post(
    f"{_VERSION}/return", permission="processes.write", body=Return, returns={200: VersionOut}, problems=(404, 409),
)  # fmt: skip
def return_version(caller: Caller, key: str, version: str, body: Return) -> VersionOut:
    """Return a version that waits to who made it, with a comment. Its draft is open again."""
    returned = caller.services.engine.return_version(key, _number(version), caller.actor, body.comment)
    return VersionOut.model_validate(returned)


@calls.post(
    f"{_VERSION}/go-back", permission="processes.write", body=GoBack, returns={201: Proposed, 202: Proposed},
    problems=(404, 409),
)  # fmt: skip
def go_back_to_version(caller: Caller, key: str, version: str, body: GoBack) -> Reply:
    """Go back to an older version. Its content becomes a new version, with consent like any other."""
    return proposed(caller.services.engine.go_back(key, _number(version), caller.actor, reason=body.reason), key)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(f"There is no version {text[:20]}.")
    return int(text)


def proposed(versions: list[VersionView], key: str | None) -> Reply:
    """201 when the versions are deployed, 202 when they wait."""
    items = [VersionOut.model_validate(version) for version in versions]
    main = next((item for item in items if item.key == key), items[0])
    waits = any(item.state == "awaiting_consent" for item in items)
    return Reply(Proposed(**main.model_dump(), items=items), 202 if waits else 201)


@calls.post(
    "/processes/<key>/start", permission="instances.start", body=Start,
    returns={201: InstanceOut, 200: InstanceOut}, problems=(404, 409),
)  # fmt: skip
def start_process(caller: Caller, key: str, body: Start) -> Reply:
    """Start an instance of a deployed process. The same business key again is 200 and changes nothing."""
    engine = caller.services.engine
    if not any(version.state == "deployed" for version in engine.versions(key)):
        raise NotFound(f"There is no process {key}.")
    is_order = key == queries.PROCESS
    if is_order:
        caller.require("orders.create")
    try:
        # an order's variables are written by its own forms and operations alone, so its data is the form of step 1
        given: dict[str, Any] = {"submit": body.data or None} if is_order else {"variables": body.data}
        view, new = engine.start(key, body.business_key, caller.actor, **given)
    except (InvalidForm, Problem) as error:
        raise bad_input(*(under("/data", one) for one in error.errors)) from None
    if view.process != key:
        raise ApiProblem("conflict", f"The business key {body.business_key} belongs to an instance of {view.process}.")
    return Reply(InstanceOut(**instance_body(view)), 201 if new else 200)
