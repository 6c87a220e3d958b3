"""The files of a draft as the editors of forms and tables see them: which tasks use them, new and removed ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import abort, flash, redirect, request, url_for

from engine.definitions import SPIFF
from engine.errors import Conflict
from engine.findings import local
from engine.safe_xml import parse_xml
from engine.views import DraftView
from web.names import named, who
from web.pages.errors import error_page
from web.pages.shell import me
from web.services import current_services
from web.texts import _, ngettext

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
"""What a new form or table may be called; the same signs as in ids, so that expressions can read it."""
_PROPERTIES = f"{{{SPIFF}}}properties/{{{SPIFF}}}property"
_CALLED = f"{{{SPIFF}}}calledDecisionId"


@dataclass(frozen=True, slots=True)
class Use:
    """A task of a diagram that uses a form or a table."""

    element: str
    name: str
    diagram: str
    """The file it is drawn in."""
    properties: Mapping[str, str]

    @property
    def label(self) -> str:
        """Its step number, when it has one, and its name."""
        step = self.properties.get("step", "")
        return f"{step} {self.name}" if step else self.name


@dataclass(slots=True)
class Uses:
    """Who uses what: by the form's file name, and by the decision's id."""

    forms: dict[str, list[Use]] = field(default_factory=dict)
    decisions: dict[str, list[Use]] = field(default_factory=dict)


def uses_of(files: Mapping[str, bytes]) -> Uses:
    """Reads every diagram of a draft that can be read; the others are left to the check."""
    found = Uses()
    for file, data in files.items():
        root = parse_xml(data, file)[0] if file.endswith(".bpmn") else None
        for extension in root.iter("{*}extensionElements") if root is not None else ():
            task = extension.getparent()
            if task is None or not task.get("id"):
                continue
            properties = {p.get("name", ""): p.get("value", "") for p in extension.iterfind(_PROPERTIES)}
            name = " ".join(task.get("name", "").split()) or task.get("id", "")
            use = Use(task.get("id", ""), name, file, properties)
            if (form := properties.get("formJsonSchemaFilename")) and local(task) == "userTask":
                found.forms.setdefault(form, []).append(use)
            for called in extension.iterfind(_CALLED):
                found.decisions.setdefault((called.text or "").strip(), []).append(use)
    return found


def draft_of(draft_id: str) -> DraftView:
    """The draft with its files. NotFound."""
    return current_services().engine.draft(draft_id)


def plain(name: str, suffix: str) -> str:
    """The name in an address without the file's suffix, which a link may carry."""
    return name.removesuffix(suffix)


def text_of(data: bytes | None) -> str:
    """A file's text; what is no UTF-8 is shown by a mark, and refused by the check."""
    return "" if data is None else data.decode("utf-8-sig", "replace")


def asked_name(taken: Mapping[str, bytes], folder: str, suffix: str) -> str:
    """The name in the posted form; aborts the request with a page that says what is wrong with it."""
    name = request.form.get("name", "").strip().removesuffix(suffix)
    if not NAME.fullmatch(name):
        _refuse(_("Give it a name of letters, digits and _, a letter first, at most 60 signs: gift_wrap."))
    if f"{folder}/{name}{suffix}" in taken:
        _refuse(_("%(file)s is there already. Choose another name.", file=f"{name}{suffix}"))
    return name


def change(draft: DraftView, files: Mapping[str, bytes | None], said: str, address: str) -> Any:
    """Stores the files on top of the revision that the page was made of, and goes on to `address`."""
    try:
        revision = int(request.form.get("revision", ""))
    except ValueError:
        revision = draft.revision
    try:
        current_services().engine.save_draft(draft.id, me().actor, revision=revision, files=files)
    except Conflict as refused:
        text = named(refused, getattr(refused, "by", None), draft.updated_by)
        said = _("%(why)s Nothing was changed.", why=text)
        return error_page(409, detail=said, back=address, back_text=_("Look at it now"))
    flash(said)
    return redirect(address, 303)


def still_used(file: str, uses: Sequence[Use], address: str) -> Any:
    """The page that says why a file stays: tasks name it."""
    tasks = ", ".join(f"“{use.label}”" for use in uses)
    return error_page(
        409, _("%(file)s is in use", file=file),
        ngettext("%(tasks)s would have nothing to show. Choose another one there first.",
                 "%(tasks)s would have nothing to show. Choose another one there first.", len(uses), tasks=tasks),
        back=address, back_text=_("Back to it"),
    )  # fmt: skip


def people(draft: DraftView) -> dict[str, str]:
    """User names of those who had to do with the draft, as people read them."""
    return {name: who(name) for name in {draft.created_by, draft.updated_by, me().name}}


def read_json(limit: int) -> dict[str, Any]:
    """The request's JSON object; 413 when it is larger than `limit` bytes, 400 when it is none."""
    if len(request.get_data()) > limit:  # the check of the token has begun to read it, so no limit can be set here
        abort(413)
    body = request.get_json()
    if not isinstance(body, dict):
        abort(400)
    return body


def _refuse(text: str) -> None:
    back = request.referrer or url_for("pages.inbox")
    abort(error_page(422, _("This name cannot be taken"), text, back=back, back_text=_("Back")))
