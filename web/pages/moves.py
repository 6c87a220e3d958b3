"""Live orders on their way to another version: how far a migration is, and what became of each order."""

from __future__ import annotations

from typing import Any, cast, get_args

from flask import Blueprint, abort, flash, make_response, redirect, request, url_for

from engine.errors import Conflict, InvalidForm
from engine.migration import MigrationView, MoveState
from web.names import named
from web.pages.errors import error_page
from web.pages.shell import first, live, me, page_of
from web.permissions import permission
from web.services import current_services
from web.texts import N_, _

PAGE = 100
"""Orders on one page."""
_MIGRATION = "/processes/<key>/migrations/<int(max=2147483647):migration_id>"
GROUPS = {"refused": N_("Refused"), "waiting": N_("Waiting"), "stays": N_("Stay"), "moved": N_("Moved")}


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/processes/<key>/<int(max=2147483647):version>/migrate", "process_migrate", begin,
                       methods=["POST"])
    pages.add_url_rule(_MIGRATION, "moves", show)
    pages.add_url_rule(f"{_MIGRATION}/live", "moves_live", show_live)


@permission("processes.write")
def begin(key: str, version: int) -> Any:
    """Moves all live orders to a version, then shows how far they are."""
    try:
        begun = current_services().engine.migrate(key, version, me().actor, reason=request.form.get("reason", ""))
    except InvalidForm as faults:
        return _refused("; ".join(fault.message for fault in faults.errors), key, version, 422)
    except Conflict as refusal:
        return _refused(named(refusal), key, version, 409)
    if begun.total == 0:
        flash(_("No live order had to be moved: all are on version %(version)s.", version=version))
        return redirect(url_for("pages.process", key=key, version=version), 303)
    return redirect(url_for("pages.moves", key=key, migration_id=begun.id), 303)


def _refused(why: str, key: str, version: int, status: int) -> Any:
    back = url_for("pages.process", key=key, version=version)
    text = _("Back to version %(version)s", version=version)
    return make_response(error_page(status, _("No order was moved"), why, back=back, back_text=text))


@permission("processes.read")
def show(key: str, migration_id: int) -> Any:
    """One migration: who, why, how far, and its orders."""
    view = _view(key, migration_id)
    return page_of("moves.html", section="processes", m=view, name=_name(key),
                   live_html=first("parts/moves_live.html", **_part(view)))


@permission("processes.read")
def show_live(key: str, migration_id: int) -> Any:
    """Progress and results alone, asked for every second while orders wait."""
    return live("parts/moves_live.html", **_part(_view(key, migration_id)))


def _view(key: str, migration_id: int) -> MigrationView:
    return current_services().engine.migration(
        migration_id, key=key, state=_state(), limit=PAGE, cursor=_after()
    )


def _state() -> MoveState | None:
    asked = request.args.get("state")
    if asked is None:
        return None
    if asked not in get_args(MoveState):
        abort(404)
    return cast(MoveState, asked)


def _after() -> str | None:
    after = request.args.get("after")
    if after is not None and "\0" in after:
        abort(404)  # no order is called so, and PostgreSQL fails at it
    return after


def _part(view: MigrationView) -> dict[str, Any]:
    counts = {"refused": view.refused, "waiting": view.waiting, "stays": view.stays, "moved": view.moved}
    return {"m": view, "state": _state(), "after": _after(), "groups": GROUPS, "counts": counts}


def _name(key: str) -> str:
    return next((version.name for version in current_services().engine.versions(key)), key)
