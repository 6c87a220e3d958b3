"""Every page joined to the app: the one list of the parts."""

from __future__ import annotations

from flask import Blueprint, Flask

from web import incoming, text
from web.pages import (
    approvals,
    cancelling,
    house,
    inbox,
    incidents,
    mails,
    messages,
    modeler,
    modeler_decisions,
    modeler_forms,
    moves,
    noting,
    orders,
    processes,
    several,
    sign_in,
    starting,
    tasks,
    track,
)
from web.pages.errors import init_errors
from web.pages.shell import init_shell

PARTS = (
    sign_in, inbox, tasks, several, approvals, orders, cancelling, noting, incidents, messages, mails, house, processes,
    starting, moves, modeler, modeler_forms, modeler_decisions, track,
)  # fmt: skip


def init_pages(app: Flask) -> None:
    """Mounts the blueprint `pages`."""
    pages = Blueprint("pages", __name__)
    for part in PARTS:
        part.register(pages)
    sign_in.init_limits(app)
    app.jinja_env.filters.update(text.filters())
    app.jinja_env.filters.update(awaited=incoming.awaited, why=incoming.why, short_why=incoming.short_why)
    init_shell(app)
    init_errors(app)
    app.register_blueprint(pages)
