"""What every page shows around its content, and the small things views share."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, abort, g, make_response, render_template, request

from engine.queue import Queue, queue_columns
from engine.tasklists import MOST_COUNTED, inbox_number
from engine.views import DelegationView, TaskView
from web import queries
from web.accounts.away import is_away
from web.auth import Person, current_person
from web.local import local
from web.names import everybody, named, who
from web.services import current_services
from web.text import counted, label
from web.texts import _
from web.times import Times

UNREADABLE = "\ufffd"
"""Stands in a search for a character that cannot be read."""
_FORM_TOKEN = re.compile(r'name="csrf_token" value="[^"]*"')


@dataclass(frozen=True, slots=True)
class Shell:
    """The numbers beside the menu."""

    tasks: int
    open_orders: int
    incidents: int
    messages: int
    alarms: int
    queue: Queue | None = None

    @property
    def told(self) -> dict[str, str]:
        """The numbers as they are written, by the names of their places; none is empty."""
        numbers = {name: getattr(self, name) for name in ("tasks", "open_orders", "incidents", "messages", "alarms")}
        return {f"menu:{name}": counted(number) if number else "" for name, number in numbers.items()}


STEPS = range(1, 1001)
"""Numbers that may be a step's; a greater one fits no column."""


def searched() -> str:
    """What the request looks for. Characters that nobody types become one that no order holds: such a search finds
    nothing, and is no fault of the database's."""
    text = (request.args.get("q") or "")[:200].strip(" \t\r\n")
    return "".join(UNREADABLE if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def step_asked() -> int | None:
    """The step in the request's address, when it may be one."""
    step = request.args.get("step", type=int)
    return step if step in STEPS else None


def me() -> Person:
    """The one who is asking; views behind a permission have one."""
    person = current_person()
    if person is None:
        abort(401)
    return person


def times() -> Times:
    """How times are written and read for whoever asks, as seen from the house's clock now."""
    if "times" not in g:
        here = local()
        g.times = Times(current_services().clock.now(), here.zone, here.locale)
    found: Times = g.times
    return found


def away(name: str | None) -> str:
    """`away until 3 Dec` of somebody who is away now; nothing of others."""
    user = everybody().get(name or "")
    if user is None or not is_away(user, current_services().clock.now()):
        return ""
    return _("away until %(day)s", day=times().day(last_day(user.away_until))) if user.away_until else _("away")


def absence(name: str | None) -> str:
    """The same behind a name: `, away until 3 Dec`."""
    said = away(name)
    return f", {said}" if said else ""


def last_day(end: datetime) -> datetime:
    """A moment of the last day of an absence: it ends with the day, so its end is the next one's beginning."""
    return end - timedelta(seconds=1)


def word(code: object) -> str:
    """The word for a code: of a team its title, as an administrator may have changed it."""
    team = current_services().teams.known().get(str(code))
    return team.title if team else label(code)


def page_of(template: str, **values: Any) -> str:
    """Renders a page."""
    return render_template(template, **values)


def live(template: str, **values: Any) -> Response:
    """Renders a part that the page asks for every few seconds: 204 when it is what the browser has already.

    The browser sends the version it has as `v`; the part's own version stands in it as `{{ version }}`.
    """
    body = render_template(template, version="{version}", **values)
    version = part_version(body)
    if request.args.get("v") == version:
        return make_response("", 204)
    return make_response(body.replace("{version}", version))


def first(template: str, **values: Any) -> str:
    """The same part inside its page, with its version filled in."""
    body = render_template(template, version="{version}", **values)
    return body.replace("{version}", part_version(body))


def part_version(body: str) -> str:
    """A short hash of a rendered part. The session's form token is no part of it."""
    return hashlib.sha256(_FORM_TOKEN.sub("", body).encode()).hexdigest()[:16]


def init_shell(app: Flask) -> None:
    """Gives every template the person, the numbers beside the menu and the words."""

    app.jinja_env.filters["who_is"] = who
    app.jinja_env.filters["label"] = word

    @app.context_processor
    def common() -> dict[str, Any]:
        person = current_person()
        return {
            "person": person,
            "demo": current_services().settings.demo,
            "shell": shell() if person and not request.headers.get("HX-Request") else None,
            "times": times(),
            "local": local(),
            "who": who,
            "absence": absence,
            "away": away,
            "named": named,
            "section": "",
            "UNREADABLE": UNREADABLE,
        }


def shell(beside: TaskView | None = None, lent: Sequence[DelegationView] | None = None) -> Shell:
    """The numbers beside the menu, once in a request; with a gate also where it stands among those that wait for the
    one who asks. `lent`: what is lent to them, where that is known."""
    if "shell" in g and beside is None:  # a page renders several templates
        found: Shell = g.shell
        return found
    services, actor = current_services(), me().actor
    known = "inbox_count" in g
    seen = None if known and beside is None else services.engine.shelves(actor, lent)
    more = () if known else (inbox_number(seen),)
    if beside is not None:
        more = (*more, *queue_columns(actor, seen, beside.id))
    with services.database.read() as session:
        (open_orders, dead, unmatched, alarms), asked = queries.counts(session, actor, *more)
    tasks, *place = (g.inbox_count, *asked) if known else asked
    queue = Queue(*place) if beside is not None else None
    made = g.shell = Shell(min(tasks, MOST_COUNTED), open_orders, dead, unmatched, alarms, queue)
    return made
