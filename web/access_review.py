"""The access review: who could sign which gate at a moment and for which reason, and who did sign in a period.

Gates and delegations of a moment are the engine's (`Engine.signers`). People and teams are rolled back from today
through the journal, line by line, to what they were then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Select, case, func, literal_column, select
from sqlalchemy.orm import Session

from engine import Engine
from engine.errors import InvalidForm
from engine.store.tables import Event, JournalEntry, Signature
from engine.views import Amount, DelegationView, Gate, Signers
from handlers.contract import FieldError
from web.accounts.tables import User
from web.accounts.teams import Team, all_teams
from web.permissions import SEES_ALL
from web.texts import _

USUAL_PERIOD = timedelta(days=90)
"""How far back signatures are counted unless somebody says otherwise."""
_PEOPLE = ("user_added", "user_changed")
_TEAMS = ("team_added", "team_changed")


@dataclass(frozen=True, slots=True)
class Then:
    """A person as they were at a moment."""

    name: str
    display_name: str
    teams: frozenset[str]
    active: bool


@dataclass(frozen=True, slots=True)
class Right:
    """One person who could sign one gate, and why."""

    process: str
    element: str
    gate: str
    step: int | None
    team: str
    """Whose gate it is."""
    person: str
    display_name: str
    lent_by: str | None = None
    """Whose right it was, under a delegation; None: their own, as one of the team."""
    lent_until: datetime | None = None
    delegation: str | None = None
    up_to: Amount | None = None
    """What an order may be worth at most, under that delegation; None: anything."""


@dataclass(frozen=True, slots=True)
class Used:
    """How often a person signed in the period."""

    person: str
    display_name: str
    signed: int = 0
    """Every signature, those of the next two numbers too, also ones that fell void later."""
    for_others: int = 0
    """Under a delegation."""
    overrides: int = 0
    """Gates opened in an emergency."""
    refused: int = 0
    """Attempts that were refused."""
    last: datetime | None = None
    """The last signature in the period."""


@dataclass(frozen=True, slots=True)
class Review:
    """Who could sign what at `at`, and who signed from `since` until then."""

    at: datetime
    since: datetime
    rights: tuple[Right, ...]
    used: tuple[Used, ...]


def review(engine: Engine, at: datetime | None = None, since: datetime | None = None) -> Review:
    """The review of a moment (now) and of the period before it (90 days). A fixed number of statements. InvalidForm: a
    moment that is still to come, a period that begins after it or too long ago."""
    now = engine.clock.now()
    at, since = _in_utc(at), _in_utc(since)
    if at is not None and at > now:
        raise InvalidForm([FieldError("/at", _("Choose a moment that has passed."))])
    try:
        since = since or (at or now) - USUAL_PERIOD
    except OverflowError:
        raise InvalidForm([FieldError("/at", _("This moment is too long ago."))]) from None
    if since > (at or now):
        raise InvalidForm([FieldError("/since", _("The period begins after the moment. Choose an earlier time."))])
    signers = engine.signers(at)
    with engine.reading() as session:
        lines = _lines_after(session, signers.at)
        today = {user.name: Then(user.name, user.display_name, frozenset(user.teams), user.active)
                 for user in session.scalars(select(User))}  # fmt: skip
        people = people_then(today, lines)
        teams = teams_then(all_teams(session), lines)
        used = _used(session, since, signers.at, {**today, **people})
    return Review(signers.at, since, rights(signers, people, teams), used)


# --- rolled back -----------------------------------------------------------------------------------------------------


def _lines_after(session: Session, at: datetime) -> list[JournalEntry]:
    """The lines of the journal about people and teams that were written after a moment, newest first."""
    later = select(JournalEntry).where(JournalEntry.at > at, JournalEntry.kind.in_(_PEOPLE + _TEAMS))
    return list(session.scalars(later.order_by(JournalEntry.seq.desc())))


def people_then(now: Mapping[str, Then], lines: Iterable[JournalEntry]) -> dict[str, Then]:
    """People as they were before these lines, newest line first; who was added in one of them is not there."""
    found = dict(now)
    for line in lines:
        if line.kind == "user_added":
            found.pop(line.subject, None)
        elif line.kind == "user_changed" and line.subject in found:
            was = _before(line, ("display_name", "teams", "active"))
            if "teams" in was:
                was["teams"] = frozenset(was["teams"])
            found[line.subject] = replace(found[line.subject], **was)
    return found


def teams_then(now: Mapping[str, Team], lines: Iterable[JournalEntry]) -> dict[str, Team]:
    """Teams as they were before these lines, newest line first."""
    found = dict(now)
    for line in lines:
        key = line.subject.removeprefix("team:")
        if line.kind == "team_added":
            found.pop(key, None)
        elif line.kind == "team_changed" and key in found:
            was = _before(line, ("title", "roles", "active"))
            if "roles" in was:
                was["roles"] = frozenset(was["roles"]) | {"staff"}
            found[key] = replace(found[key], **was)
    return found


def _before(line: JournalEntry, fields: Sequence[str]) -> dict[str, Any]:
    before = orjson.loads(line.body)["before"]
    return {field: before[field] for field in fields if field in before}


# --- who could -------------------------------------------------------------------------------------------------------


def rights(signers: Signers, people: Mapping[str, Then], teams: Mapping[str, Team]) -> tuple[Right, ...]:
    """Who could sign which gate, as the engine decides it at a signature: people of the gate's team, and those to whom
    one of them has lent it. Whether somebody worked on an order is another question, asked for each order."""
    found = []
    for gate in _gates(signers.gates):
        own = [person for person in people.values() if person.active and gate.team in person.teams]
        found += [_right(gate, person) for person in sorted(own, key=_by_name)]
        for lent in signers.delegations:
            takes, lends = people.get(lent.delegate), people.get(lent.principal)
            if takes is None or lends not in own or gate.team in takes.teams or not _covers(lent, gate):
                continue
            if takes.active and not _sees_all(takes, teams):
                found.append(_right(gate, takes, lent))
    return tuple(found)


def _by_name(person: Then) -> tuple[str, str]:
    return person.display_name, person.name


def _gates(gates: Iterable[Gate]) -> list[Gate]:
    """Each gate once for each team that signs it in some version, with the words of the newest version."""
    found: dict[tuple[str, str, str], Gate] = {}
    for gate in sorted(gates, key=lambda gate: gate.version):
        found[gate.process, gate.element, gate.team] = gate
    return sorted(found.values(), key=lambda gate: (gate.process, gate.step or 0, gate.element, gate.team))


def _covers(lent: DelegationView, gate: Gate) -> bool:
    return lent.team == gate.team and (not lent.gates or gate.element in lent.gates)


def _sees_all(person: Then, teams: Mapping[str, Team]) -> bool:
    return any(not SEES_ALL.isdisjoint(teams[key].roles) for key in person.teams if key in teams and teams[key].active)


def _right(gate: Gate, person: Then, lent: DelegationView | None = None) -> Right:
    return Right(
        gate.process, gate.element, gate.name, gate.step, gate.team, person.name, person.display_name,
        lent.principal if lent else None, lent.ends_at if lent else None, lent.id if lent else None,
        lent.up_to if lent else None,
    )  # fmt: skip


# --- who did ---------------------------------------------------------------------------------------------------------


def _used(session: Session, since: datetime, until: datetime, people: Mapping[str, Then]) -> tuple[Used, ...]:
    """Everybody who signed or tried to, who signed most first. Two statements."""
    s = Signature
    signed = session.execute(
        select(s.actor, func.count(), func.count(s.on_behalf_of), func.sum(case((s.emergency.is_(True), 1), else_=0)),
               func.max(s.at))
        .where(s.at >= since, s.at <= until).group_by(s.actor)
    )  # fmt: skip
    found = {
        actor: Used(actor, _named(actor, people), int(count), int(others), int(overrides), 0, last)
        for actor, count, others, overrides, last in signed
    }
    for actor, count in session.execute(refused_attempts(since, until)):
        found[actor] = replace(found.get(actor, Used(actor, _named(actor, people))), refused=int(count))
    return tuple(sorted(found.values(), key=lambda one: (-one.signed, one.display_name, one.person)))


def refused_attempts(since: datetime, until: datetime) -> Select[tuple[str, int]]:
    """Who was refused in a period and how often, read along the index of refusals. The kind is written out: a database
    that is given it as a parameter does not see that the index fits."""
    refused = Event.kind == literal_column("'signature_refused'")
    found = select(Event.actor, func.count()).where(refused, Event.at >= since, Event.at <= until)
    return found.group_by(Event.actor)


def _named(name: str, people: Mapping[str, Then]) -> str:
    return people[name].display_name if name in people else name


def _in_utc(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
