"""The board: how the open orders stand at their steps, the late ones first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from web import order_search
from web.accounts.teams import SHIPPED
from web.board import Board, board
from web.pages.narrowed import on_board
from web.pages.shell import first, live, page_of, searched, times
from web.permissions import permission
from web.queries import PROCESS
from web.services import current_services


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/board", "board", show)
    pages.add_url_rule("/board/live", "board_live", show_live)


@permission("orders.read")
def show() -> Any:
    """How many orders stand at each step, and which of them are late or stopped."""
    values = _board()
    return page_of("board.html", section="board", live_html=first("parts/board_live.html", **values), **values)


@permission("orders.read")
def show_live() -> Any:
    """The board alone, asked for every few seconds."""
    return live("parts/board_live.html", **_board())


def _board() -> dict[str, Any]:
    services, q = current_services(), searched()
    team, late = (request.args.get("team") or "")[:80] or None, bool(request.args.get("late"))
    with services.database.read() as session:
        search = order_search.read(session, q)
        found = board(session, times().now, team=team, late=late, search=search)
    chosen = {name: value for name, value in (("team", team), ("late", 1 if late else None), ("q", q)) if value}
    return {
        "steps": services.engine.steps(PROCESS),
        "board": found,
        "chosen": chosen,
        "search": search,
        "tabs": _tabs(found, team),
        "narrowed": on_board(q=q, team=team, late=late),
    }


def _tabs(found: Board, chosen: str | None) -> list[tuple[str, int]]:
    """The teams that orders wait for, and the one that is chosen, with how many do."""
    names = list(SHIPPED)
    shown = {team for team in (*found.teams, chosen) if team}
    order = sorted(shown, key=lambda team: (names.index(team) if team in names else len(names), team))
    return [(team, found.teams[team].total if team in found.teams else 0) for team in order]
