"""The modeler: the drafts that analysts work on, and the page on which one is drawn."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_wtf.csrf import generate_csrf

from engine.bundling import laid_over
from engine.errors import Conflict, InvalidForm, NotFound
from engine.lint.bundle import MAX_BYTES
from engine.views import DraftView, VersionView
from web import accounts
from web.headers import use_policy
from web.names import named
from web.pages.errors import error_page
from web.pages.modeler_facts import contents, operations, teams
from web.pages.modeler_forms import NEW_SCHEMA
from web.pages.shell import me, page_of
from web.permissions import permission
from web.queries import PROCESS
from web.services import current_services
from web.texts import _

_FOLDERS = {"bpmn": "processes", "dmn": "processes", "json": "forms"}


def register(pages: Blueprint) -> None:
    add = pages.add_url_rule
    add("/modeler", "modeler", listing)
    add("/modeler", "modeler_open", begin, methods=["POST"])
    add("/modeler/<draft_id>", "modeler_draft", show)
    add("/modeler/<draft_id>/discard", "modeler_discard", discard, methods=["POST"])


@permission("processes.write")
def listing() -> Any:
    """The open drafts, and the three ways to begin one."""
    return _listing()


@permission("processes.write")
def begin() -> Any:
    """Opens a draft: a copy of a version, an empty diagram, or uploaded files."""
    request.max_content_length = MAX_BYTES
    engine, form = current_services().engine, request.form
    title = form.get("title", "").strip()
    try:
        match form.get("way"):
            case "copy":
                key, version = _version_asked(form.get("version", ""))
                draft = engine.open_draft(me().actor, key=key, base_version=version, title=title)
            case "empty":
                draft = engine.open_draft(me().actor, key=form.get("key", "").strip(), title=title)
            case "import":
                draft = _imported(form.get("version", ""), title)
            case _:
                abort(400)
    except (InvalidForm, Conflict, NotFound) as refused:
        return _listing(way=form.get("way"), wrong=_sentences(refused)), 422
    return redirect(url_for("pages.modeler_draft", draft_id=draft.id), 303)


@permission("processes.write")
def show(draft_id: str) -> Any:
    """One draft on the canvas. Without scripts, what it holds."""
    use_policy("tool")
    services = current_services()
    draft = services.engine.draft(draft_id)
    facts = contents(draft.files)
    asked = f"processes/{request.args.get('file', '')}"
    file = asked if asked in facts["diagrams"] else _main_diagram(draft, facts)
    if file is None:
        return error_page(
            409, _("This draft holds no diagram"), _("Import one, or discard the draft."),
            back=url_for("pages.modeler"), back_text=_("All drafts"),
        )
    newest = next((version.version for version in _deployed(draft.key)), None)
    with services.database.read() as session:
        people = accounts.display_names(session)
    boot = {
        **facts, **teams(services.teams.known().values()),
        "operations": operations(services.engine.registry), "newForm": NEW_SCHEMA,
        "id": draft.id, "key": draft.key, "revision": draft.revision, "state": draft.state, "file": file,
        "updatedAt": draft.updated_at.isoformat(), "csrf": generate_csrf(), "me": me().name, "people": people,
        "now": services.clock.now().isoformat(), "newest": newest,
    }  # fmt: skip
    return page_of(
        "modeler.html", section="modeler", draft=draft, boot=json.dumps(boot), facts=facts, file=file,
        newest=newest, consent_needed=services.engine.consent_needed,
    )  # fmt: skip


@permission("processes.write")
def discard(draft_id: str) -> Any:
    """Discards a draft for good."""
    engine = current_services().engine
    draft = engine.draft(draft_id)
    engine.discard_draft(draft_id, me().actor)
    flash(_("The draft “%(title)s” is discarded.", title=draft.title))
    return redirect(url_for("pages.modeler"), 303)


# --- parts ---


def _listing(way: str | None = None, wrong: list[str] | None = None) -> str:
    engine = current_services().engine
    versions = _newest_first()
    names = {version.key: version.name for version in reversed(versions)}  # so that the newest name of each stays
    return page_of(
        "drafts.html", section="modeler", drafts=engine.drafts(), versions=versions, names=names, way=way,
        wrong=wrong or [], consent_needed=engine.consent_needed,
    )  # fmt: skip


def _newest_first() -> list[VersionView]:
    """The versions that a draft may begin as: the newest of each process first, then the older ones. Of several
    processes orders lead, then the one that most is under way on: it is what somebody most likely wants to change."""
    deployed = [version for version in current_services().engine.versions() if version.state == "deployed"]
    newest, live = dict[str, int](), Counter[str]()
    for one in deployed:
        newest[one.key] = max(newest.get(one.key, 0), one.version)
        live[one.key] += one.open_instances

    def place(one: VersionView) -> tuple[bool, bool, int, str, int]:
        return one.version != newest[one.key], one.key != PROCESS, -live[one.key], one.name, -one.version

    return sorted(deployed, key=place)


def _deployed(key: str) -> list[VersionView]:
    found = [version for version in current_services().engine.versions(key) if version.state == "deployed"]
    return sorted(found, key=lambda version: -version.version)


def _version_asked(text: str) -> tuple[str, int]:
    """`order_fulfillment:12` as key and number. NotFound."""
    key, _colon, number = text.rpartition(":")
    if not (key and number.isascii() and number.isdigit() and len(number) < 10):
        raise NotFound(_("Choose the version that the draft begins as."))
    return key, int(number)


def _imported(version: str, title: str) -> DraftView:
    """A draft of the uploaded files, laid over a version when one is chosen. InvalidForm, Conflict, NotFound."""
    engine, files = current_services().engine, dict[str, bytes]()
    for upload in request.files.getlist("files"):
        name = (upload.filename or "").replace("\\", "/").rpartition("/")[2]
        folder = _FOLDERS.get(name.rpartition(".")[2].lower())
        if folder is None:
            raise NotFound(_("%(name)s is neither a diagram (.bpmn), a table (.dmn) nor a form (.json).",
                             name=name[:80] or _("An empty choice")))  # fmt: skip
        files[f"{folder}/{name}"] = upload.read()
    if not version:
        return engine.open_draft(me().actor, title=title, files=files)
    key, number = _version_asked(version)
    whole = laid_over(engine.bundle(key, number).files, files)
    return engine.open_draft(me().actor, key=key, base_version=number, title=title, files=whole)


def _sentences(refused: InvalidForm | Conflict | NotFound) -> list[str]:
    return [error.message for error in refused.errors] if isinstance(refused, InvalidForm) else [named(refused)]


def _main_diagram(draft: DraftView, facts: dict[str, Any]) -> str | None:
    """The file that draws the draft's own process, else its first diagram."""
    own = next((one["file"] for one in facts["processes"] if one["id"] == draft.key), None)
    return own or next(iter(facts["diagrams"]), None)
