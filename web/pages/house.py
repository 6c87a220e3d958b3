"""The house: board, stock, people, and what a phone finds under More."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from web import accounts, queries
from web.pages.shell import first, live, page_of
from web.permissions import permission
from web.queries import PROCESS
from web.services import current_services


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/board", "board", board)
    pages.add_url_rule("/board/live", "board_live", board_live)
    pages.add_url_rule("/stock", "stock", stock)
    pages.add_url_rule("/people", "people", people)
    pages.add_url_rule("/more", "more", more)


@permission("orders.read")
def board() -> Any:
    """How many orders stand at each step, and which of them are late or stopped."""
    return page_of("board.html", section="board", live_html=first("parts/board_live.html", **_board()))


@permission("orders.read")
def board_live() -> Any:
    """The board alone, asked for every few seconds."""
    return live("parts/board_live.html", **_board())


def _board() -> dict[str, Any]:
    services = current_services()
    steps = services.engine.steps(PROCESS)
    with services.database.read() as session:
        return {"steps": steps, "board": queries.board(session)}


@permission("stock.read")
def stock() -> Any:
    """What lies where."""
    with current_services().database.read() as session:
        return page_of("stock.html", section="stock", rows=queries.stock(session))


@permission("people.read")
def people() -> Any:
    """Who there is."""
    with current_services().database.read() as session:
        return page_of("people.html", section="people", people=accounts.users(session), teams=accounts.TEAMS)


@permission("signed-in")
def more() -> Any:
    """The rest of the menu, for narrow screens."""
    return page_of("more.html", section="more")
