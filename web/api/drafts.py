"""Drafts: bundles that analysts work on in the browser, until one of them asks for consent."""

from __future__ import annotations

import time
from typing import Annotated

from flask import Response
from pydantic import Field, StringConstraints

from engine.bundling import bytes_of, text_of
from engine.drafts import LONGEST_TITLE
from engine.errors import NotFound
from engine.views import DraftState, DraftView
from web import accounts
from web.api.auth import Caller
from web.api.endpoint import Calls, Part, Reply
from web.api.models import Input, Listing, Output, Paging, Time, cursor_of, read_cursor
from web.api.processes import FindingOut, Proposed, Reason, proposed
from web.api.uploads import BASE, BUNDLE_LIMIT, FILES, read_upload, whole
from web.problems import finding_body

calls = Calls("drafts")

Title = Annotated[str, StringConstraints(max_length=LONGEST_TITLE)]
_TYPES = {"json": "application/json", "bpmn": "application/xml", "dmn": "application/xml"}


class DraftRow(Output):
    """A draft without its files."""

    id: str
    key: str = Field(description="The process it changes, or will be.")
    title: str
    base_version: int | None = Field(description="The version it builds on; null for a new process.")
    revision: int = Field(description="Counts the changes; a save names the one it was made on.")
    state: DraftState
    version: int | None = Field(description="The version it became when consent was asked for last.")
    created_by: str
    created_at: Time
    updated_by: str
    updated_at: Time
    answered_by: str | None = Field(description="Who returned that version.")
    answer: str = Field(description="Why it was returned.")


class DraftOut(DraftRow):
    """A draft with the names of its files."""

    files: list[str]


class DraftList(Listing[DraftRow]):
    """A page of open drafts."""


class SavedOut(Output):
    """How the draft stands after a save."""

    revision: int
    updated_at: Time
    updated_by: str


class DraftCheckOut(Output):
    """What the linter says about a draft."""

    deployable: bool
    findings: list[FindingOut]
    ms: int = Field(description="How long the check took, in milliseconds.")


class NewDraft(Input):
    """Where a draft begins: a version (`key`, `base_version`), files that are all it holds, or nothing but a key."""

    key: str | None = Field(None, max_length=80, description="By default the first executable process of the files.")
    base_version: int | None = Field(None, ge=1, le=2**31 - 1)
    title: Title = ""
    files: dict[str, str] | None = Field(None, description="Texts by name: processes/x.bpmn, forms/y.json.")


class Save(Input):
    """Files that take the place of those of the same name; null removes one."""

    revision: int = Field(ge=1, le=2**31 - 1, description="The revision they were made on.")
    files: dict[str, str | None]


class Unsaved(Input):
    """Files that are not saved yet, taken as if they were."""

    files: dict[str, str | None] = Field(default_factory=dict)


class NewTitle(Input):
    """A draft's title."""

    title: Annotated[str, StringConstraints(pattern=r"\S", max_length=LONGEST_TITLE)]


class Rebase(Input):
    """The deployed version whose changes a person has taken over into the draft."""

    revision: int = Field(ge=1, le=2**31 - 1)
    base_version: int = Field(ge=1, le=2**31 - 1)


class Submit(Input):
    """Asking for consent."""

    reason: Reason
    revision: int = Field(ge=1, le=2**31 - 1, description="The revision that was looked at.")


@calls.get("/drafts", permission="processes.write", query=Paging, returns={200: DraftList})
def list_drafts(caller: Caller, query: Paging) -> DraftList:
    """List the open drafts, the one changed last first."""
    rows = caller.services.engine.drafts()
    after = read_cursor(query.cursor, str)
    start = next((place + 1 for place, row in enumerate(rows) if after and row.id == after[0]), 0)
    shown = rows[start : start + query.size]
    more = cursor_of(shown[-1].id) if len(rows) > start + len(shown) else None
    return DraftList(items=[DraftRow.model_validate(row) for row in shown], next=more)


@calls.post(
    "/drafts", permission="processes.write", body=NewDraft, returns={201: DraftOut}, problems=(404, 409),
    limit=BUNDLE_LIMIT,
)  # fmt: skip
def open_draft(caller: Caller, body: NewDraft) -> DraftOut:
    """Open a draft. Of any deployed version, of files, or of a diagram with nothing but a start event."""
    files = None if body.files is None else {name: bytes_of(name, text) for name, text in body.files.items()}
    return _out(caller.services.engine.open_draft(
        caller.actor, key=body.key, base_version=body.base_version, title=body.title, files=files))


@calls.post(
    "/drafts/import", permission="processes.write", problems=(404, 409), limit=BUNDLE_LIMIT, returns={201: DraftOut},
    multipart={**FILES, **BASE, "title": Part("What the draft is called.", text=True)},
)  # fmt: skip
def import_draft(caller: Caller) -> DraftOut:
    """Open a draft of uploaded files, in whatever encoding they declare. With `base_version` they are laid over that
    version's."""
    upload = read_upload("title", *BASE)
    files, key = whole(caller.services.engine, upload)
    return _out(caller.services.engine.open_draft(
        caller.actor, key=key, base_version=upload.base_version, title=upload.texts.get("title", ""), files=files))


@calls.get("/drafts/<id>", permission="processes.write", returns={200: DraftOut}, problems=(404,))
def show_draft(caller: Caller, id: str) -> DraftOut:  # noqa: A002 - the path's own word
    """Show one draft with the names of its files."""
    return _out(caller.services.engine.draft(id))


@calls.delete("/drafts/<id>", permission="processes.write", returns={204: "nothing"}, problems=(404, 409))
def discard_draft(caller: Caller, id: str) -> Response:  # noqa: A002
    """Discard a draft for good. 409 when consent is asked for it."""
    caller.services.engine.discard_draft(id, caller.actor)
    return Response(status=204)


@calls.get(
    "/drafts/<id>/files/<folder>/<name>", permission="processes.write", returns={200: "text/plain"}, problems=(404,),
)  # fmt: skip
def show_draft_file(caller: Caller, id: str, folder: str, name: str) -> Response:  # noqa: A002
    """Show the text of one file, as UTF-8 whatever its encoding is."""
    file = f"{folder}/{name}"
    data = caller.services.engine.draft(id).files.get(file)
    if data is None:
        raise NotFound(f"The draft has no file {file[:140]}.")
    kind = _TYPES.get(name.rpartition(".")[2], "text/plain")
    answer = Response(text_of(file, data).encode(), content_type=f"{kind}; charset=utf-8")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@calls.put(
    "/drafts/<id>/files", permission="processes.write", body=Save, returns={200: SavedOut}, problems=(404, 409),
    limit=BUNDLE_LIMIT,
)  # fmt: skip
def save_draft_files(caller: Caller, id: str, body: Save) -> SavedOut:  # noqa: A002
    """Save files of a draft, unchecked. 409 `draft-changed` when somebody has saved after `revision`, with `by`, `at`
    and the `revision` that is stored. The same save again changes nothing."""
    saved = caller.services.engine.save_draft(id, caller.actor, revision=body.revision, files=_bytes(body.files))
    return SavedOut.model_validate(saved)


@calls.put(
    "/drafts/<id>/title", permission="processes.write", body=NewTitle, returns={200: DraftOut}, problems=(404, 409),
)  # fmt: skip
def rename_draft(caller: Caller, id: str, body: NewTitle) -> DraftOut:  # noqa: A002
    """Give a draft another title."""
    return _out(caller.services.engine.rename_draft(id, caller.actor, body.title))


@calls.put(
    "/drafts/<id>/base", permission="processes.write", body=Rebase, returns={200: DraftOut}, problems=(404, 409),
)  # fmt: skip
def rebase_draft(caller: Caller, id: str, body: Rebase) -> DraftOut:  # noqa: A002
    """Say that a draft now builds on another deployed version. Its files stay: take over what that version changed
    before."""
    return _out(caller.services.engine.rebase_draft(
        id, caller.actor, revision=body.revision, base_version=body.base_version))


@calls.post(
    "/drafts/<id>/copy", permission="processes.write", body=Unsaved, returns={201: DraftOut}, problems=(404, 409),
    limit=BUNDLE_LIMIT,
)  # fmt: skip
def copy_draft(caller: Caller, id: str, body: Unsaved) -> DraftOut:  # noqa: A002
    """Open a draft of all that another holds, with unsaved files laid over it. Of a discarded one too, so that nobody
    loses what could not be saved there."""
    with caller.services.database.read() as session:
        whose = accounts.display_names(session).get(caller.actor.name, caller.actor.name)
    return _out(caller.services.engine.copy_draft(id, caller.actor, whose=whose, files=_bytes(body.files)))


@calls.post(
    "/drafts/<id>/check", permission="processes.write", body=Unsaved, may_be_empty=True, returns={200: DraftCheckOut},
    problems=(404,), limit=BUNDLE_LIMIT,
)  # fmt: skip
def check_draft(caller: Caller, id: str, body: Unsaved) -> DraftCheckOut:  # noqa: A002
    """Check whether a draft could be deployed. Files that are not saved yet are checked too."""
    began = time.perf_counter()
    findings = caller.services.engine.check_draft(id, _bytes(body.files))
    return DraftCheckOut(
        deployable=not any(finding.severity == "error" for finding in findings),
        findings=[FindingOut(**finding_body(finding)) for finding in findings],
        ms=round((time.perf_counter() - began) * 1000),
    )


@calls.post(
    "/drafts/<id>/submit", permission="processes.write", body=Submit, returns={201: Proposed, 202: Proposed},
    problems=(404, 409),
)  # fmt: skip
def submit_draft(caller: Caller, id: str, body: Submit) -> Reply:  # noqa: A002
    """Ask for consent to a draft. 202: it waits for another analyst; 201: it is deployed, where no consent is needed.
    422 names every problem."""
    versions = caller.services.engine.submit_draft(id, caller.actor, reason=body.reason, revision=body.revision)
    return proposed(versions, caller.services.engine.draft(id).key)


def _bytes(files: dict[str, str | None]) -> dict[str, bytes | None]:
    return {name: None if text is None else bytes_of(name, text) for name, text in files.items()}


def _out(draft: DraftView) -> DraftOut:
    row = DraftRow.model_validate(draft)
    return DraftOut(**row.model_dump(), files=sorted(draft.files))
