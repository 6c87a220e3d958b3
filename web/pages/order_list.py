"""The list of orders, with its search and its filters."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, request, url_for

from web import order_search, queries
from web.pages.narrowed import listed
from web.pages.shell import page_of, searched, step_asked, times
from web.permissions import permission
from web.services import current_services

_PER_PAGE = 50
_STATES = ("open", "closed", "cancelled")


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/orders", "orders", listing)


@permission("orders.read")
def listing() -> Any:
    """Orders, newest first; a search that names one order goes straight to it."""
    q, step = searched(), step_asked()
    state, team = request.args.get("state"), (request.args.get("team") or "")[:80] or None
    late = bool(request.args.get("late"))
    services = current_services()
    with services.database.read() as session:
        search = order_search.read(session, q)
        if search.only is not None and not state:
            return redirect(url_for("pages.order", number=search.only))
        try:
            rows = queries.order_rows(
                session,
                state=("open", "cancelling") if state == "open" else state if state in _STATES else None,
                search=search,
                step=step,
                team=team,
                late_at=times().now if late else None,
                limit=_PER_PAGE,
                cursor=request.args.get("cursor"),
            )
        except ValueError:
            return redirect(url_for("pages.orders"))
        counts = queries.state_counts(session)
    counts["open"] = counts.get("open", 0) + counts.pop("cancelling", 0)
    return page_of(
        "orders.html",
        section="orders",
        rows=rows,
        counts=counts,
        total=sum(counts.values()),
        state=state if state in _STATES else None,
        q=q,
        search=search,
        step=step,
        steps=services.engine.steps(queries.PROCESS),
        team=team,
        late=late,
        narrowed=listed(q=q, step=step, team=team, late=late),
    )
