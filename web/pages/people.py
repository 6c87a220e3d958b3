"""People: who works here, of which teams, what they may do; and, for administrators, changing it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from web import accounts
from web.accounts import AccountError
from web.accounts.administration import Administration
from web.accounts.letters import Letters
from web.accounts.links import Kind
from web.accounts.second_factor import has_second_factor
from web.accounts.tables import SignIn
from web.accounts.teams import roles_of
from web.names import who as shown
from web.pages.journal import lines
from web.pages.notices import send_notices
from web.pages.shell import away as gone
from web.pages.shell import last_day, me, page_of, searched, times
from web.permissions import WORDS, allowed, permission
from web.services import current_services
from web.texts import _
from web.times import WrongTime


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/people", "people", people)
    pages.add_url_rule("/people/new", "new_person", new_person)
    pages.add_url_rule("/people", "add_person", add_person, methods=["POST"])
    pages.add_url_rule("/people/<name>", "person", person_page)
    pages.add_url_rule("/people/<name>", "change_person", change_person, methods=["POST"])
    pages.add_url_rule("/people/<name>/link", "send_link", link, methods=["POST"])
    pages.add_url_rule("/people/<name>/sign-out", "sign_out_person", sign_out_person, methods=["POST"])
    pages.add_url_rule("/people/<name>/second-factor", "drop_second_factor", drop_second_factor, methods=["POST"])
    pages.add_url_rule("/people/<name>/away", "away", away, methods=["POST"])


@permission("people.read")
def people() -> Any:
    """Who there is: by name, user name or e-mail address."""
    services, sought = current_services(), searched().casefold()
    with services.database.read() as session:
        found = [
            user for user in accounts.users(session)
            if sought in f"{user.display_name}\n{user.name}\n{user.email or ''}".casefold()
        ]  # fmt: skip
        last = _last_sign_ins(session)
    found.sort(key=lambda user: not user.active)
    return page_of(
        "people.html", section="people", people=found, standing=standing, last=last,
        teams=services.teams.known(), q=searched(),
    )  # fmt: skip


@permission("people.write")
def new_person() -> Any:
    """The form for a new person."""
    return _new({}, {})


def _new(typed: Mapping[str, Any], errors: Mapping[str, str]) -> Response:
    body = page_of("person_new.html", section="people", choices=_choices(), typed=typed, errors=errors)
    return make_response(body, 422 if errors else 200)


def _choices() -> list[tuple[str, str]]:
    """The teams that somebody can be of."""
    return [(team.key, team.title) for team in current_services().teams.known().values() if team.active]


@permission("people.write")
def add_person() -> Any:
    """Makes a person and sends the invitation."""
    services, form = current_services(), request.form
    name = form.get("name", "").strip().lower()
    try:
        if not form.get("email", "").strip():
            raise AccountError(_("The invitation goes to this address. Give one."), "email")
        with services.engine.transaction() as session:
            _office(session).add(
                name, form.get("display_name", "")[:500], form.getlist("teams"), email=form.get("email")
            )
    except AccountError as error:
        typed = {**form.to_dict(), "teams": form.getlist("teams")}
        return _new(typed, {error.field or "name": str(error)})
    _send(name, "invitation")
    return redirect(url_for("pages.person", name=name), 303)


@permission("signed-in")
def person_page(name: str) -> Any:
    """One person: for owners and administrators; and for the person themselves, who sees when they are away."""
    return _person(name)


def _person(name: str, typed: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None) -> Response:
    services, who, now = current_services(), me(), current_services().clock.now()
    if not who.may("people.read") and who.name != name:
        abort(404)
    with services.database.read() as session:
        user = accounts.find_user(session, name)
        if user is None:
            abort(404)
        colleagues = [other for other in accounts.users(session) if other.active and other.name != name]
        factor = has_second_factor(session, name)
        last = _last_sign_ins(session).get(name)
    teams = services.teams.known()
    roles = roles_of(user.teams, teams)
    body = page_of(
        "person.html", section="people", user=user, teams=teams, choices=_choices(), colleagues=colleagues,
        factor=factor, last=last,
        may=[_(words) for key, words in WORDS.items() if user.active and allowed(roles, key)],
        state=_state(user, now),
        lines=lines(services.engine.journal(subject=name, limit=20).items) if who.may("journal.read") else (),
        planned=_is_planned(user, now),
        first=_typed_day(user.away_from), last_one=_typed_day(last_day(user.away_until) if user.away_until else None),
        typed=typed or {}, errors=errors or {},
    )  # fmt: skip
    return make_response(body, 422 if errors else 200)


def _is_planned(user: accounts.User, now: datetime) -> bool:
    """Whether an absence lies ahead."""
    return user.away_from is not None and user.away_from > now


def standing(user: accounts.User) -> str:
    """`active`; `invited` as long as the person has set no password; `may not sign in`."""
    if not user.active:
        return _("may not sign in")
    return _("active") if user.password_hash else _("invited")


def _state(user: accounts.User, now: datetime) -> str:
    """`active, away until 3 Dec; Mei Tan stands in`."""
    state = standing(user)
    absence = _planned(user) if _is_planned(user, now) else gone(user.name)
    if not absence:
        return state
    if user.stand_in:
        return _("%(state)s, %(absence)s; %(person)s stands in", state=state, absence=absence,
                 person=shown(user.stand_in))  # fmt: skip
    return _("%(state)s, %(absence)s", state=state, absence=absence)


def _planned(user: accounts.User) -> str:
    assert user.away_from is not None
    first = times().day(user.away_from)
    if user.away_until is None:
        return _("will be away from %(first)s", first=first)
    return _("will be away from %(first)s until %(last)s", first=first, last=times().day(last_day(user.away_until)))


@permission("people.write")
def change_person(name: str) -> Any:
    """Changes name, address, teams and whether the person may sign in."""
    form, services = request.form, current_services()
    given: dict[str, Any] = {
        "display_name": form.get("display_name", "")[:500], "email": form.get("email", ""),
        "teams": form.getlist("teams"), "active": "active" in form,
    }  # fmt: skip
    try:
        with services.engine.transaction() as session:
            office = _office(session)
            office.change(name, **given)
    except AccountError as error:
        return _person(name, given, {error.field or "active": str(error)})
    send_notices(office.by, office.notices)
    flash(_("Saved."))
    return redirect(url_for("pages.person", name=name), 303)


@permission("people.write")
def link(name: str) -> Any:
    """Sends another invitation, or a link to set a new password."""
    _send(name, "reset" if request.form.get("kind") == "reset" else "invitation")
    return redirect(url_for("pages.person", name=name), 303)


def _send(name: str, kind: Kind) -> None:
    """Makes the link and sends it; says whether the mail has left. Nobody but the person sees the link."""
    services = current_services()
    try:
        email, failed = Letters(services.engine, services.ports, me().actor, services.wall_clock).send(name, kind)
    except AccountError as error:
        flash(str(error), "bad")
        return
    if failed:
        flash(_("The mail to %(address)s could not be sent: %(why)s Try again.", address=email, why=failed), "bad")
    else:
        flash(_("A mail with a link was sent to %(address)s.", address=email))
        if not services.settings.smtp_url:
            flash(_("There is no mail server here: the mail lies as a file in the folder “outbox”."))


@permission("people.write")
def sign_out_person(name: str) -> Any:
    """Ends every session of the person."""
    with current_services().engine.transaction() as session:
        if accounts.find_user(session, name) is None:
            abort(404)
        ended = _office(session).end_sessions(name)
    flash(_("Signed out everywhere.") if ended else _("There was no session."))
    return redirect(url_for("pages.person", name=name), 303)


@permission("people.write")
def drop_second_factor(name: str) -> Any:
    """Takes the second factor away from somebody who has lost it."""
    services = current_services()
    if name == me().name:
        abort(403)
    with services.engine.transaction() as session:
        if accounts.find_user(session, name) is None:
            abort(404)
        office = _office(session)
        taken = office.take_second_factor(name)
    if taken:
        send_notices(office.by, office.notices)
        flash(_("The second factor was taken away. The password alone is asked for now."))
    return redirect(url_for("pages.person", name=name), 303)


@permission("signed-in")
def away(name: str) -> Any:
    """Says when somebody is away: the person themselves, or an administrator."""
    who, form, services = me(), request.form, current_services()
    if who.name != name and not who.may("people.write"):
        abort(404)
    back = form.get("do") == "back"
    try:
        since = None if back else (_day(form.get("since", ""), "since") or services.clock.now())
        until = None if back else _day(form.get("until", ""), "until", end=True)
        with services.engine.transaction() as session:
            _office(session).away(name, since, until, form.get("stand_in") or None, keep_tasks="keep" in form)
    except AccountError as error:
        return _person(name, form.to_dict(), {error.field: str(error)})
    flash(_("Noted: there again.") if back else _("Noted: away."))
    return redirect(url_for("pages.person", name=name), 303)


def _day(typed: str, field: str, *, end: bool = False) -> datetime | None:
    """The beginning of a day, or its end; None when nothing was typed."""
    if not typed.strip():
        return None
    try:
        day = times().read_day(typed[:40])
        return times().day_end(day) if end else times().day_start(day)
    except WrongTime as wrong:
        raise AccountError(str(wrong), field) from None


def _typed_day(at: datetime | None) -> str:
    """The day of a moment here, as a field for a date holds it."""
    return times().local(at).date().isoformat() if at is not None else ""


def _office(session: Session) -> Administration:
    services = current_services()
    return Administration(services.engine, session, me().actor, services.wall_clock)


def _last_sign_ins(session: Session) -> dict[str, datetime]:
    """When each person signed in last, as far as it is still known."""
    statement = select(SignIn.user, func.max(SignIn.created_at)).group_by(SignIn.user)
    return dict(session.execute(statement).tuples().all())
