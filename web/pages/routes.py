"""Every page joined to the app: the one list of the parts."""

from __future__ import annotations

from flask import Blueprint, Flask

from web import incoming, text
from web.pages import (
    access_review,
    account,
    account_factor,
    account_tokens,
    alarms,
    board,
    cancelling,
    delegations,
    house,
    inbox,
    incidents,
    journal,
    links,
    local_times,
    mails,
    messages,
    modeler,
    modeler_decisions,
    modeler_forms,
    moves,
    noting,
    order_list,
    orders,
    people,
    processes,
    questions,
    scanning,
    second_step,
    several,
    sign_in,
    sign_several,
    signing,
    starting,
    tasks,
    teams,
    track,
)
from web.pages.errors import init_errors
from web.pages.shell import init_shell

PARTS = (
    sign_in, second_step, account, account_factor, account_tokens,
    inbox, tasks, several, signing, order_list, orders, cancelling, noting, questions, scanning, incidents, messages,
    mails, board, house, processes, starting, moves, modeler, modeler_forms, modeler_decisions, track, local_times,
    people, teams, journal, access_review, links,
    sign_several, alarms, delegations,
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
