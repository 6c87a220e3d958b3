"""What moving the live orders to a version would do: worked out with the page, or after it where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, render_template, request

from engine.impact import MOST_NAMED, Impact, ImpactGroup
from engine.migration import MigrationView
from engine.views import VersionView
from web.pages.shell import page_of
from web.permissions import permission
from web.services import current_services
from web.text import number
from web.texts import N_, _

AT_ONCE = 300
"""Live orders up to which the page itself says what becomes of them; that takes well under a second."""
NAMED = 5
"""Orders named in a row of the page; the list of its own names more."""


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/processes/<key>/<int(max=2147483647):version>/impact", "process_impact", show)


@dataclass(frozen=True, slots=True)
class Live:
    """What a version's page says of live orders."""

    count: int
    """Live orders on all versions."""
    elsewhere: int
    """Those that are not on this version."""
    impact: Impact | None
    """None: worked out after the page was shown."""
    moves: Sequence[MigrationView]
    """Earlier moves to this version, the newest first."""


def live_orders(version: VersionView, versions: Sequence[VersionView], newest: VersionView | None) -> Live | None:
    """None where moving is no question: a version that was returned, or that a newer one has taken the place of."""
    is_target = version.state == "awaiting_consent" or (newest is not None and newest.version == version.version)
    count = sum(one.open_instances for one in versions)
    engine = current_services().engine
    moves = [one for one in engine.migrations(version.key, limit=5) if one.to_version == version.version]
    if not is_target and not moves:
        return None
    elsewhere = count - version.open_instances if is_target else 0
    if not elsewhere:
        return Live(count, 0, None, moves) if moves or version.state == "awaiting_consent" else None
    worked_out = engine.impact(version.key, version.version) if count <= AT_ONCE else None
    return Live(count, elsewhere, worked_out, moves)


@permission("processes.read")
def show(key: str, version: int) -> Any:
    """What becomes of the live orders: a part of the version's page, or a page of its own."""
    engine = current_services().engine
    found = next((one for one in engine.versions(key) if one.version == version), None)
    if found is None:
        abort(404)
    impact = engine.impact(key, version)
    if request.headers.get("HX-Request"):
        return render_template("process_impact.html", v=found, impact=impact, group_title=group_title, named=NAMED)
    return page_of(
        "process_orders.html", section="processes", v=found, impact=impact, group_title=group_title, named=MOST_NAMED
    )


def group_title(group: ImpactGroup) -> str:
    """What happens to the orders of a group, in few words."""
    words = {"stays": N_("Go on as they are"), "form_changes": N_("Open task changes"),
             "lacks": N_("Would stop later"), "cannot": N_("Cannot move")}  # fmt: skip
    return _(words[group.kind]) if group.kind in words else _("Meet %(name)s", name=group.name)


def moving(impact: Impact | None) -> str:
    """What becomes of the live orders if they are moved: `12 can move, 3 stay; a result for each`."""
    if impact is None:
        return _("a result for each")
    lacks, stay = impact.count("lacks"), impact.count("cannot")
    said = {"moves": number(impact.can_move), "stops": number(lacks), "stays": number(stay)}
    if lacks and stay:
        return _("%(moves)s can move, %(stops)s of them would stop later, %(stays)s stay; a result for each", **said)
    if lacks:
        return _("%(moves)s can move, %(stops)s of them would stop later; a result for each", **said)
    if stay:
        return _("%(moves)s can move, %(stays)s stay; a result for each", **said)
    return _("%(moves)s can move; a result for each", **said)
