"""Setting a password by a link from a mail: invitations, and resets for who has forgotten theirs.

Opening a link changes nothing, because mail programs open links too; only the form behind it does.
"""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, Response, flash, make_response, redirect, request, url_for

from engine import SYSTEM
from web.accounts.administration import Administration
from web.accounts.letters import Letters
from web.accounts.links import Kind, find_link, person_meant
from web.accounts.passwords import password_fault
from web.pages.notices import send_notices
from web.pages.shell import page_of
from web.pages.sign_in import limited
from web.permissions import PUBLIC, permission
from web.services import Services, current_services
from web.texts import _

log = structlog.get_logger("links")
FORGOT = "5 per 15 minutes"
"""Questions for a link per address, and per name."""
TRIES = "30 per 15 minutes"
"""Links tried per address."""


def register(pages: Blueprint) -> None:
    for path, kind in (("/welcome/<secret>", "invitation"), ("/reset/<secret>", "reset")):
        pages.add_url_rule(path, kind, show, methods=["GET"], defaults={"kind": kind})
        pages.add_url_rule(path, f"{kind}_done", done, methods=["POST"], defaults={"kind": kind})
    pages.add_url_rule("/forgot", "forgot", forgot, methods=["GET"])
    pages.add_url_rule("/forgot", "ask", ask, methods=["POST"])


@permission(PUBLIC)
@limited(TRIES)
def show(kind: Kind, secret: str) -> Any:
    """The form for a password, while the link holds."""
    return _form(kind, secret)


def _form(kind: Kind, secret: str, error: str = "") -> Response:
    services = current_services()
    with services.database.read() as session:
        user = find_link(session, secret[:200], kind, services.wall_clock.now())
        name, shown = (user.name, user.display_name) if user else ("", "")
    body = page_of("set_password.html", kind=kind, name=name, shown=shown, error=error)
    return make_response(body, 404 if not name else 422 if error else 200)


@permission(PUBLIC)
@limited(TRIES)
def done(kind: Kind, secret: str) -> Any:
    """Sets the password; the link holds no more."""
    services, password = current_services(), request.form.get("password", "")[:1000]
    with services.database.read() as session:
        user = find_link(session, secret[:200], kind, services.wall_clock.now())
        name = user.name if user else ""
    if not name:
        return _form(kind, secret)
    fault = password_fault(password, name, demo=services.settings.demo)
    if fault is None and password != request.form.get("again", "")[:1000]:
        fault = _("The two are not the same. Type the password again.")
    if fault:
        return _form(kind, secret, fault)
    with services.engine.transaction() as session:
        office = Administration(services.engine, session, SYSTEM, services.wall_clock)
        if office.set_password(secret[:200], kind, password) is None:
            return _form(kind, secret)
    send_notices(SYSTEM, office.notices)
    flash(_("Your password is set. Sign in with it."))
    return redirect(url_for("pages.sign_in", name=name), 303)


@permission(PUBLIC)
def forgot() -> Any:
    """Asks for user name or e-mail address."""
    return page_of("forgot.html", asked=False)


def _name_asked() -> str:
    return f"forgot {request.form.get('name', '').strip().lower()[:254]}"


@permission(PUBLIC)
@limited(FORGOT)
@limited(FORGOT, key=_name_asked)
def ask() -> Any:
    """Says that a link is sent if there is such a person. Whether there is one is looked up, and the link made and
    sent, when the answer has left: its time tells nothing either."""
    services, typed = current_services(), request.form.get("name", "")[:254]
    services.errands.run("a link for a new password", lambda: _send_if_known(services, typed))
    return page_of("forgot.html", asked=True)


def _send_if_known(services: Services, typed: str) -> None:
    with services.engine.reading() as session:
        user = person_meant(session, typed)
    if user is not None:
        _email, failed = Letters(services.engine, services.ports, SYSTEM, services.wall_clock).send(user.name, "reset")
        if failed:
            log.warning("a link for a new password could not be sent", person=user.name, reason=failed)
