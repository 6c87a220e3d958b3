"""What every page shows around its content, and the small things views share."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, abort, g, make_response, render_template, request

from web import accounts, queries
from web.auth import Person, current_person
from web.services import current_services
from web.text import Times

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
    """How times are written, as seen from the house's clock now."""
    if "times" not in g:
        g.times = Times(current_services().clock.now())
    found: Times = g.times
    return found


def who(name: str | None) -> str:
    """A user name as people read it: the display name, `Waybill` for the machine, else as it is."""
    if not name:
        return ""
    if "display_names" not in g:
        with current_services().database.read() as session:
            g.display_names = accounts.display_names(session)
    return str(g.display_names.get(name) or ("Waybill" if name == "waybill" else name))


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

    @app.context_processor
    def common() -> dict[str, Any]:
        person = current_person()
        return {
            "person": person,
            "demo": current_services().settings.demo,
            "shell": _shell(person) if person and not request.headers.get("HX-Request") else None,
            "times": times(),
            "who": who,
            "section": "",
            "UNREADABLE": UNREADABLE,
        }


def _shell(person: Person) -> Shell:
    if "shell" in g:  # a page renders several templates
        found: Shell = g.shell
        return found
    services = current_services()
    with services.database.read() as session:
        open_orders, dead, unmatched = queries.counts(session)
    counts: dict[str, int] = services.engine.task_counts(person.actor)
    g.shell = Shell(counts.get("all", 0), open_orders, dead, unmatched)
    made: Shell = g.shell
    return made
