"""The journal of the house in sentences: who gave whom which right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, request

from engine.journal import JournalView
from web import accounts
from web.pages.shell import page_of, times, who, word
from web.permissions import ROLES, permission
from web.services import current_services

_PER_PAGE = 50
_FIELDS = {
    "display_name": "name", "email": "e-mail address", "teams": "teams", "active": "may sign in", "title": "title",
    "roles": "roles", "from": "from", "until": "until", "stand_in": "stand-in",
}  # fmt: skip
_WORDS = {
    "user_added": "added {subject}",
    "user_changed": "changed {subject}",
    "team_added": "added the team {subject}",
    "team_changed": "changed the team {subject}",
    "invited": "invited {subject} by mail",
    "reset_sent": "sent {subject} a link for a new password",
    "invitation_not_sent": "could not send the invitation to {subject}",
    "reset_not_sent": "could not send {subject} the link for a new password",
    "notice_not_sent": "could not tell {subject} by mail what was changed",
    "away": "said when {subject} is away",
    "session_revoked": "ended sessions of {subject}",
    "password_changed": "set a new password for {subject}",
    "second_factor_on": "switched the second factor on for {subject}",
    "second_factor_off": "took the second factor of {subject} away",
    "token_created": "made an API token for {subject}",
    "recovery_code_used": "used a recovery code of {subject}",
    "token_revoked": "revoked an API token of {subject}",
    "delegated": "let somebody sign for {subject}",
    "delegation_revoked": "took back who signs for {subject}",
    "gate_overridden": "opened a gate of {subject} in an emergency",
    "alarm_acknowledged": "looked at the emergency in {subject}",
    "bulk_refused": "asked to sign too many gates at once",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line as people read it."""

    seq: int
    at: datetime
    who: str
    text: str
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
    words = _WORDS.get(entry.kind, entry.kind.replace("_", " ") + ": {subject}")
    return Line(entry.seq, entry.at, who(entry.actor), words.format(subject=subject),
                _changes(entry.before, entry.after) + _details(entry.detail))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What it was and what it is, field by field."""
    names = sorted({**before, **after}, key=_order)
    found = []
    for name in names:
        now, then = _value(name, after.get(name)), _value(name, before.get(name))
        found.append(f"{_FIELDS.get(name, name)}: " + (f"{then} → {now}" if name in before else now))
    return tuple(found)


def _order(name: str) -> tuple[int, str]:
    """Fields that have words come in the order of these, others behind."""
    return list(_FIELDS).index(name) if name in _FIELDS else len(_FIELDS), name


def _details(detail: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{name.replace('_', ' ')}: {_value(name, value)}" for name, value in detail.items())


def _value(name: str, value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(ROLES.get(str(one), str(one)) if name == "roles" else word(one) for one in value)
    return who(value) if name in ("stand_in", "to") else times().in_text(value)
