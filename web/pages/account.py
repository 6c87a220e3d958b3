"""My account: who I am here, my password, my sessions; second factor and tokens have files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for

from web import accounts
from web.accounts.notices import notice_of
from web.browsers import browser_shown
from web.pages.notices import send_notices
from web.pages.shell import me, page_of
from web.permissions import permission
from web.reauth import check_again
from web.services import current_services
from web.texts import _, ngettext

_HASH = 64


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/account", "account", show)
    pages.add_url_rule("/account/password", "change_password", change_password, methods=["POST"])
    pages.add_url_rule("/account/sessions/end", "end_session", end_session, methods=["POST"])
    pages.add_url_rule("/account/sessions/end-others", "end_others", end_others, methods=["POST"])


@permission("account")
def show() -> Any:
    """My account."""
    return page()


def page(
    *,
    at: str = "",
    errors: Mapping[str, str] | None = None,
    typed: Mapping[str, Any] | None = None,
    status: int = 200,
    **values: Any,
) -> Response:
    """The page. `at` is the form that was sent; errors are named by its fields."""
    services, person = current_services(), me()
    now = services.wall_clock.now()
    with services.database.read() as session:
        tokens = accounts.tokens_of(session, person.name)
        body = page_of(
            "account.html",
            section="account",
            sessions=accounts.sessions_of(session, person.name, now),
            tokens=[token for token in tokens if token.revoked_at is None and token.expires_at > now],
            codes_left=accounts.recovery_codes_left(session, person.name) if person.second_factor else None,
            browser=browser_shown,
            scopes=accounts.SCOPES,
            days=accounts.DAYS,
            usual_days=accounts.USUAL_DAYS,
            at=at,
            errors=errors or {},
            typed=typed or {},
            **values,
        )
    return make_response(body, status)


def again(at: str, typed: Mapping[str, Any] | None = None, **values: Any) -> Response | None:
    """Asks for password and code of the form that was sent; None when they are right, else the page that says what is
    wrong."""
    checked = check_again(
        current_services(), me().name, request.form.get("password", ""), request.form.get("code", "")
    )
    if checked.how is not None:
        return None
    return page(at=at, errors=checked.errors, typed=typed, status=429 if checked.wait else 422, **values)


@permission("account")
def change_password() -> Any:
    """Another password: every other session ends."""
    services, person = current_services(), me()
    new = request.form.get("new_password", "")
    fault = accounts.password_fault(new, person.name, demo=services.settings.demo)
    if fault:
        return page(at="password", errors={"new_password": fault}, status=422)
    if new != request.form.get("new_password_again", ""):
        return page(at="password", errors={"new_password_again": _("The two are not the same.")}, status=422)
    if wrong := again("password"):
        return wrong
    with services.engine.transaction() as session:
        user = accounts.find_user(session, person.name)
        assert user is not None
        accounts.set_password(user, new)
        ended = accounts.end_sessions(session, person.name, services.wall_clock.now(), but=person.session)
        notice = notice_of(user, "password", person.actor, services.wall_clock.now())
        services.engine.note_in_journal(session, person.name, "password_changed", person.name, sessions_ended=ended)
    send_notices(person.actor, [notice] if notice else [])
    said = [_("Your password is changed.")]
    if ended:
        said.append(ngettext("Your other session has ended.", "Your other sessions have ended.", ended))
    flash(" ".join(said))
    return redirect(url_for("pages.account"), 303)


@permission("account")
def end_session() -> Any:
    """Ends one of my sessions."""
    services, person = current_services(), me()
    hashed = request.form.get("session", "")[:_HASH]
    with services.engine.transaction() as session:
        ended = accounts.end_session(session, person.name, hashed, services.wall_clock.now())
        if ended:
            services.engine.note_in_journal(session, person.name, "session_revoked", person.name, sessions_ended=1)
    flash(_("The session has ended.") if ended else _("This session had ended already."))
    return redirect(url_for("pages.account"), 303)


@permission("account")
def end_others() -> Any:
    """Ends every session of mine but this one."""
    services, person = current_services(), me()
    with services.engine.transaction() as session:
        ended = accounts.end_sessions(session, person.name, services.wall_clock.now(), but=person.session)
        if ended:
            services.engine.note_in_journal(session, person.name, "session_revoked", person.name, sessions_ended=ended)
    flash(_("This is your only session now.") if ended else _("There was no other session."))
    return redirect(url_for("pages.account"), 303)
