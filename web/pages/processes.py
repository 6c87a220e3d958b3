"""Processes: their versions, what each changes, a second analyst's consent, and the way back."""

from __future__ import annotations

import io
import re
import time
import zipfile
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, request, url_for

from engine.definitions import Bundle
from engine.diff import compare
from engine.errors import CannotDeploy, Conflict, InvalidForm, OwnVersion
from engine.safe_xml import xml_text
from engine.views import VersionView
from web.changes import MOST_ROWS, rows
from web.headers import use_policy
from web.names import named, who
from web.pages import impacts
from web.pages.impacts import group_title, live_orders, moving
from web.pages.orders import xml_answer
from web.pages.pictures import pictures
from web.pages.shell import me, page_of
from web.permissions import permission
from web.queries import PROCESS
from web.services import current_services
from web.texts import N_, _

_HEADINGS = {
    "waits for consent": N_("Version %(version)s waits for consent"),
    "was returned": N_("Version %(version)s was returned"),
    "runs": N_("Version %(version)s runs"),
    "older": N_("Version %(version)s has live orders"),
    "ended": N_("Version %(version)s has ended"),
}
_VERSION = "/processes/<key>/<int(max=2147483647):version>"


def register(pages: Blueprint) -> None:
    add = pages.add_url_rule
    add("/processes", "processes", listing)
    add(_VERSION, "process", show)
    impacts.register(pages)
    add(f"{_VERSION}/<file>.bpmn", "process_diagram", diagram)
    add(f"{_VERSION}/bundle.zip", "process_download", download)
    add(f"{_VERSION}/consent", "process_consent", consent, methods=["POST"])
    add(f"{_VERSION}/return", "process_return", give_back, methods=["POST"])
    add(f"{_VERSION}/go-back", "process_go_back", go_back, methods=["POST"])
    add(f"{_VERSION}/draft", "process_draft", open_draft, methods=["POST"])


@dataclass(frozen=True, slots=True)
class Said:
    """What a person sent that was refused, to be put right."""

    error: str = ""
    text: str = ""
    move: bool = False


# --- reading ----------------------------------------------------------------------------------------------------------


@permission("processes.read")
def listing() -> Any:
    """Every process with its versions, newest first."""
    versions = current_services().engine.versions()
    processes = [(key, list(group)) for key, group in groupby(versions, lambda version: version.key)]
    processes.sort(key=lambda process: (-sum(v.open_instances for v in process[1]), process[0]))
    waiting = [version for version in versions if version.state == "awaiting_consent"]
    return page_of(
        "processes.html", section="processes", processes=processes, waiting=waiting, state_of=state_of,
        newest_of=newest_of, may_write=_may_write(),
    )  # fmt: skip


@permission("processes.read")
def show(key: str, version: int) -> Any:
    """One version: what it changes, what it does to live orders, and what is to be done with it."""
    return _page(key, version)


def _page(key: str, number: int, said: Said | None = None) -> str:
    use_policy("diagram")
    engine = current_services().engine
    versions = engine.versions(key)
    version = next((one for one in versions if one.version == number), None)
    if version is None:
        abort(404)
    base = request.args.get("with", version.base_version, type=int)
    if base is not None and base not in {one.version for one in versions}:
        abort(404)
    bundle = engine.bundle(key, number)
    before = engine.bundle(key, base) if base is not None else bundle
    found = compare(before, bundle)
    made = rows(found) if base is not None else []
    newest = newest_of(versions)
    began = time.perf_counter()
    findings = engine.check(bundle) if version.state == "awaiting_consent" else None
    checked_in = time.perf_counter() - began
    orders = live_orders(version, versions, newest)
    return page_of(
        "process.html", section="processes", v=version, versions=versions, newest=newest, base=base, found=found,
        rows=made[:MOST_ROWS], rows_left=max(0, len(made) - MOST_ROWS), steps=found.steps, findings=findings,
        checked_in=checked_in,
        pictures=pictures(key, before, bundle, found, with_marks=base is not None), files=sorted(bundle.files),
        others=[one for one in versions if one.version != number], live=sum(one.open_instances for one in versions),
        state_of=state_of, said=said or Said(), may_write=_may_write(), made_it=_made(version),
        orders=orders, moving=moving(orders.impact) if orders else "",
        heading=_(_HEADINGS[state_of(version, newest)], version=number),
        group_title=group_title, named=impacts.NAMED,
        stale=_is_stale(version, newest), can_go_back=_can_go_back(version, newest),
    )  # fmt: skip


def state_of(version: VersionView, newest: VersionView | None) -> str:
    """What a version is now, in English words: `waits for consent`, `runs`, `ended`."""
    if version.state != "deployed":
        return N_("waits for consent") if version.state == "awaiting_consent" else N_("was returned")
    if newest is not None and version.version == newest.version:
        return N_("runs")
    return N_("older") if version.open_instances else N_("ended")


def newest_of(versions: list[VersionView]) -> VersionView | None:
    """The newest deployed version: what is started now runs on it."""
    deployed = [version for version in versions if version.state == "deployed"]
    return max(deployed, key=lambda version: version.version, default=None)


def _is_stale(version: VersionView, newest: VersionView | None) -> bool:
    """Another version was deployed since consent was asked for."""
    return version.state == "awaiting_consent" and version.base_version != (newest.version if newest else None)


def _made(version: VersionView) -> bool:
    """Whoever is asking made a version that waits, or changed its draft, and so cannot consent to it."""
    return version.state == "awaiting_consent" and current_services().engine.made(
        version.key, version.version, me().actor
    )


def _can_go_back(version: VersionView, newest: VersionView | None) -> bool:
    return (
        version.state == "deployed" and newest is not None and newest.version != version.version
        and newest.content_hash != version.content_hash
    )  # fmt: skip


def _may_write() -> bool:
    return me().may("processes.write")


@permission("processes.read")
def diagram(key: str, version: int, file: str) -> Response:
    """One diagram of a version."""
    content = current_services().engine.bundle(key, version).files.get(f"processes/{file}.bpmn")
    if content is None:
        abort(404)
    return xml_answer(xml_text(content))


@permission("processes.read")
def download(key: str, version: int) -> Response:
    """The files of a version, zipped."""
    found = current_services().engine.version(key, version)
    answer = make_response(zipped(current_services().engine.bundle(key, version)))
    answer.content_type = "application/zip"
    name = f"{_safe(key)}-version-{found.version}.zip"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def zipped(bundle: Bundle) -> bytes:
    """The bundle as a zip archive, the same bytes whenever it is made. Names stay inside its two folders."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(bundle.files):
            folder, _slash, file = name.rpartition("/")
            entry = zipfile.ZipInfo(f"{'forms' if folder == 'forms' else 'processes'}/{_safe(file)}")
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, bundle.files[name])
    return packed.getvalue()


def _safe(name: str) -> str:
    """A name that every file system takes, and that leads nowhere else."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:120] or "_"


# --- acting -----------------------------------------------------------------------------------------------------------


@permission("processes.write")
def consent(key: str, version: int) -> Any:
    """A second analyst deploys a version that waits."""
    said = _said()
    try:
        current_services().engine.consent(key, version, me().actor, said.text)
    except (InvalidForm, CannotDeploy, Conflict, OwnVersion) as refused:
        return _again(key, version, said, refused)
    flash(_("Version %(version)s is deployed. New orders run on it.", version=version) if key == PROCESS
          else _("Version %(version)s is deployed. New ones run on it.", version=version))  # fmt: skip
    if said.move:
        return _moved(key, version, said.text)
    return redirect(url_for("pages.process", key=key, version=version), 303)


def _moved(key: str, version: int, comment: str) -> Any:
    """Has the live orders moved to a version that was deployed just now, and shows how far they are."""
    engine = current_services().engine
    reason = comment.strip() or engine.version(key, version).reason or f"Version {version} was deployed."
    begun = engine.migrate(key, version, me().actor, reason=reason)
    if begun.total == 0:
        return redirect(url_for("pages.process", key=key, version=version), 303)
    return redirect(url_for("pages.moves", key=key, migration_id=begun.id), 303)


@permission("processes.write")
def give_back(key: str, version: int) -> Any:
    """Returns a version that waits, with what is to be changed; who made it takes it back so."""
    said, engine = _said(), current_services().engine
    try:
        found = engine.return_version(key, version, me().actor, said.text)
    except (InvalidForm, Conflict) as refused:
        return _again(key, version, said, refused)
    own = found.deployed_by == me().actor.name
    flash(_("Version %(version)s is taken back. Its draft can be changed again.", version=version) if own
          else _("Version %(version)s is returned to %(person)s, who reads your comment.", version=version,
                 person=who(found.deployed_by)))  # fmt: skip
    return redirect(url_for("pages.process", key=key, version=version), 303)


@permission("processes.write")
def go_back(key: str, version: int) -> Any:
    """Asks for consent to the content of an older version, as a new one."""
    said = Said(text=request.form.get("reason", ""))
    try:
        made = current_services().engine.go_back(key, version, me().actor, reason=said.text)
    except (InvalidForm, CannotDeploy, Conflict) as refused:
        return _again(key, version, said, refused)
    new = next(one for one in made if one.key == key)
    if new.state == "awaiting_consent":
        flash(_("Version %(new)s is version %(old)s again. Another analyst or an administrator must consent to it.",
                new=new.version, old=version))  # fmt: skip
    else:
        flash(_("Version %(new)s is version %(old)s again, and is deployed.", new=new.version, old=version))
    return redirect(url_for("pages.process", key=key, version=new.version), 303)


@permission("processes.write")
def open_draft(key: str, version: int) -> Any:
    """Opens a draft of the version in the modeler: the one it was made of, when that is open, else a new one."""
    engine, actor = current_services().engine, me().actor
    found = engine.version(key, version)
    if found.state == "deployed":
        draft = engine.open_draft(actor, key=key, base_version=version)
    else:
        mine = (one for one in engine.drafts() if (one.key, one.version) == (key, version))
        draft = next(mine, None) or engine.open_draft(
            actor, key=key, base_version=found.base_version, files=engine.bundle(key, version).files
        )
    return redirect(f"/modeler/{draft.id}", 303)


def _said() -> Said:
    return Said(text=request.form.get("comment", ""), move=request.form.get("live") == "move")


def _again(key: str, version: int, said: Said, refused: Exception) -> Response:
    """The page once more, with what is wrong and what was typed."""
    status = 422 if isinstance(refused, (InvalidForm, CannotDeploy)) else 409
    if isinstance(refused, OwnVersion):
        status = 403
        refused = OwnVersion(
            _("You made version %(version)s or changed its draft: another analyst or an administrator must consent "
              "to it.", version=version)
        )  # fmt: skip
    message = refused.errors[0].message if isinstance(refused, InvalidForm) else named(refused)
    return make_response(_page(key, version, Said(message, said.text, said.move)), status)
