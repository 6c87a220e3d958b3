"""The journal of the house in sentences: who gave whom which right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, request
from markupsafe import Markup

from engine.journal import JournalView
from web import accounts
from web.names import who
from web.pages.shell import page_of, times, word
from web.permissions import ROLES, permission
from web.services import current_services
from web.text import bdi
from web.texts import N_, _

_PER_PAGE = 50
_FIELDS = {
    "display_name": N_("name"), "email": N_("e-mail address"), "teams": N_("teams"), "active": N_("may sign in"),
    "title": N_("title"), "roles": N_("roles"), "from": N_("from"), "until": N_("until"), "stand_in": N_("stand-in"),
    "left": N_("left"),
}  # fmt: skip
_DETAILS = {
    "sessions_ended": N_("sessions ended"), "to": N_("to"), "by": N_("by"), "reason": N_("reason"),
    "label": N_("label"), "scopes": N_("scopes"), "days": N_("days"), "token": N_("token"), "team": N_("team"),
    "starts_at": N_("starts at"), "ends_at": N_("ends at"), "gates": N_("gates"), "most": N_("most"),
    "delegation": N_("delegation"), "element": N_("element"), "task": N_("task"), "alarm": N_("alarm"),
    "raised_by": N_("raised by"), "note": N_("note"),
}  # fmt: skip
_WORDS = {
    "user_added": N_("%(who)s added %(subject)s"),
    "user_changed": N_("%(who)s changed %(subject)s"),
    "team_added": N_("%(who)s added the team %(subject)s"),
    "team_changed": N_("%(who)s changed the team %(subject)s"),
    "invited": N_("%(who)s invited %(subject)s by mail"),
    "reset_sent": N_("%(who)s sent %(subject)s a link for a new password"),
    "invitation_not_sent": N_("%(who)s could not send the invitation to %(subject)s"),
    "reset_not_sent": N_("%(who)s could not send %(subject)s the link for a new password"),
    "notice_not_sent": N_("%(who)s could not tell %(subject)s by mail what was changed"),
    "away": N_("%(who)s said when %(subject)s is away"),
    "session_revoked": N_("%(who)s ended sessions of %(subject)s"),
    "password_changed": N_("%(who)s set a new password for %(subject)s"),
    "second_factor_on": N_("%(who)s switched the second factor on for %(subject)s"),
    "second_factor_off": N_("%(who)s took the second factor of %(subject)s away"),
    "token_created": N_("%(who)s made an API token for %(subject)s"),
    "recovery_code_used": N_("%(who)s used a recovery code of %(subject)s"),
    "token_revoked": N_("%(who)s revoked an API token of %(subject)s"),
    "delegated": N_("%(who)s let %(to)s sign for %(subject)s"),
    "delegation_revoked": N_("%(who)s took back that %(to)s signs for %(subject)s"),
    "gate_overridden": N_("%(who)s opened a gate of %(subject)s in an emergency"),
    "alarm_acknowledged": N_("%(who)s looked at the emergency in %(subject)s"),
    "bulk_refused": N_("%(who)s asked to sign too many gates at once"),
}
_OWN = {
    "user_changed": N_("%(who)s changed their own account"),
    "away": N_("%(who)s said when they are away"),
    "session_revoked": N_("%(who)s ended sessions of their own"),
    "password_changed": N_("%(who)s set a new password"),
    "second_factor_on": N_("%(who)s switched their second factor on"),
    "second_factor_off": N_("%(who)s took their second factor away"),
    "token_created": N_("%(who)s made an API token"),
    "recovery_code_used": N_("%(who)s used a recovery code"),
    "token_revoked": N_("%(who)s revoked their API token"),
    "delegated": N_("%(who)s let %(to)s sign for them"),
    "delegation_revoked": N_("%(who)s took back that %(to)s signs for them"),
}
"""What people do to their own account."""
_IN_THE_SENTENCE = {"delegated": ("to", "delegation"), "delegation_revoked": ("to", "delegation")}
"""Details that the sentence says already, or that say something to machines alone."""
_LINKS = {"reset": N_("a link that was sent by mail"), "invitation": N_("an invitation")}
"""By what a password was set."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as people read it."""

    seq: int
    at: datetime
    text: Markup
    changes: tuple[str, ...]


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/journal", "journal", journal)


@permission("journal.read")
def journal() -> Any:
    """The newest lines first, of everybody or of what concerns one person."""
    services, subject = current_services(), request.args.get("person", "")[:120]
    before = request.args.get("before", type=int)
    page = services.engine.journal(subject=subject or None, before=before, limit=_PER_PAGE)
    with services.database.read() as session:
        people = accounts.users(session)
    return page_of("journal.html", section="people", lines=lines(page.items), people=people, subject=subject,
                   next=page.next, before=before)


def lines(entries: Iterable[JournalView]) -> tuple[Line, ...]:
    """Entries of the journal as sentences."""
    return tuple(_line(entry) for entry in entries)


def _line(entry: JournalView) -> Line:
    team = entry.subject.removeprefix("team:")
    subject = word(team) if team != entry.subject else who(entry.subject)
    words = _OWN if entry.actor == entry.subject and entry.kind in _OWN else _WORDS
    text = Markup(_(words.get(entry.kind, "%(who)s %(kind)s: %(subject)s")))  # noqa: S704 - our own text
    said = text % {
        "who": bdi(who(entry.actor)), "kind": entry.kind.replace("_", " "), "subject": subject,
        "to": who(entry.detail.get("to")),
    }  # fmt: skip
    said_already = _IN_THE_SENTENCE.get(entry.kind, ())
    detail = {name: value for name, value in entry.detail.items() if name not in said_already and value != ""}
    return Line(entry.seq, entry.at, said, _changes(entry.before, entry.after) + _details(detail))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What it was and what it is, field by field."""
    names = sorted({**before, **after}, key=_order)
    found = []
    for name in names:
        now, then = _value(name, after.get(name)), _value(name, before.get(name))
        field = _(_FIELDS[name]) if name in _FIELDS else name
        found.append(_named(field, _("%(was)s → %(now)s", was=then, now=now) if name in before else now))
    return tuple(found)


def _order(name: str) -> tuple[int, str]:
    """Fields that have words come in the order of these, others behind."""
    return list(_FIELDS).index(name) if name in _FIELDS else len(_FIELDS), name


def _details(detail: Mapping[str, Any]) -> tuple[str, ...]:
    words = {name: _(_DETAILS[name]) if name in _DETAILS else name.replace("_", " ") for name in detail}
    return tuple(_named(words[name], _value(name, value)) for name, value in detail.items())


def _named(name: str, value: str) -> str:
    return _("%(name)s: %(value)s", name=name, value=value)


def _value(name: str, value: Any) -> str:
    if name == "by" and value in _LINKS:
        return _(_LINKS[value])
    if name == "gates" and not value:
        return _("all of the team")
    if value is None or value == []:
        return _("none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(_role(str(one)) if name == "roles" else word(one) for one in value)
    return who(value) if name in ("stand_in", "to") else times().in_text(value)


def _role(key: str) -> str:
    return _(ROLES[key]) if key in ROLES else key
