"""Delegations: the right to sign, lent by one person to another; dated, scoped, revocable, and never passed on.

A delegation says who may sign for whom, as whose team, which gates, from when to when, and up to what amount. It gives
nothing by itself: whether both people are active, still of the team, and free of work on the order is asked again at
every signature.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from engine.errors import Conflict, InvalidForm, NotAllowed, NotAnApprover, NotFound
from engine.forms import text_fault
from engine.journal import Journal
from engine.rows import delegation_view
from engine.store.once import hold_key
from engine.store.tables import Delegation, Instance, ProcessVersion, Task
from engine.views import Actor, Amount, DelegationView, Gate, Signers
from handlers.contract import FieldError

LONGEST = timedelta(days=90)
LONGEST_REASON = 500
"""Characters."""
MOST = 10**15
"""The largest limit, in minor units."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A right to sign that somebody uses for another person."""

    by: Actor
    under: DelegationView


class Delegations(Journal):
    """Lend, revoke, and who could sign what."""

    def delegate(
        self, actor: Actor, *, principal: str, to: str, team: str, gates: Sequence[str] = (), starts_at: datetime,
        ends_at: datetime, reason: str, up_to: Amount | None = None,
    ) -> DelegationView:
        """Lends the principal's right to sign as one of `team` to another person, from `starts_at` (now, when that has
        passed) until `ends_at`, at most 90 days.

        `gates` are ids of gates that the team signs; none: all of them. `up_to` is what an order may be worth at most.
        Only the principal does that, or an administrator for them. NotAllowed. InvalidForm names the field: principal,
        to, team, gates, ends_at, reason, up_to.
        """
        now = self.clock.now()
        starts = max(_in_utc(starts_at), now)
        ends = _in_utc(ends_at)
        if actor.name != principal and not actor.is_administrator:
            raise NotAllowed("Only the person whose right it is delegates it, or an administrator for them.")
        with self.transaction() as tx:
            faults = [*_faults(starts, ends, now, reason), *_wrong_limit(up_to)]
            faults += self._wrong_people(tx, principal, to, team)
            if not faults:
                faults += self._wrong_gates(tx, team, gates)
            if not faults:
                faults += self._lent_already(tx, principal, to, team, gates, starts, ends)
            if faults:
                raise InvalidForm(faults)
            row = Delegation(
                id=str(uuid.uuid4()), principal=principal, delegate=to, team=team,
                gates="\n".join(sorted(set(gates))), starts_at=starts, ends_at=ends, reason=reason.strip(),
                made_by=actor.name, made_at=now, revoked_by=None, revoked_at=None,
                limit_amount=up_to and up_to.amount, limit_currency=up_to and up_to.currency,
            )
            tx.add(row)
            self.note_in_journal(
                tx, actor.name, "delegated", principal, delegation=row.id, to=to, team=team,
                gates=sorted(set(gates)), starts_at=starts.isoformat(), ends_at=ends.isoformat(), reason=row.reason,
                **({"up_to": asdict(up_to)} if up_to else {}),
            )
            return delegation_view(row, now)

    def _wrong_people(self, tx: Session, principal: str, to: str, team: str) -> list[FieldError]:
        lends, takes = self.person(tx, principal), self.person(tx, to)
        faults = []
        if lends is None:
            faults.append(FieldError("/principal", f"There is no active person {principal}."))
        elif team not in lends.teams:
            said = f"{lends.printed_name} is not in the team {team} and cannot lend its right."
            faults.append(FieldError("/team", said))
        if takes is None:
            faults.append(FieldError("/to", f"There is no active person {to}."))
        elif to == principal:
            faults.append(FieldError("/to", "Choose another person."))
        elif takes.sees_all:
            said = f"{takes.printed_name} sees every task and signs none. Choose another person."
            faults.append(FieldError("/to", said))
        elif team in takes.teams:
            said = f"{takes.printed_name} signs for {team} already. Choose somebody who does not."
            faults.append(FieldError("/to", said))
        return faults

    def _wrong_gates(self, tx: Session, team: str, gates: Sequence[str]) -> list[FieldError]:
        signed = {gate.element for gate in self._gates(tx) if gate.team == team}
        if not signed:
            return [FieldError("/team", f"The team {team} signs no gate.")]
        return [FieldError("/gates", f"{team} does not sign a gate {gate[:120]!r}.")
                for gate in gates if gate not in signed]

    def _lent_already(
        self, tx: Session, principal: str, to: str, team: str, gates: Sequence[str], starts: datetime, ends: datetime
    ) -> list[FieldError]:
        """That the same right is lent to the same person in a part of the time: revoking one of the two would end
        nothing. Two such calls at one moment wait for each other."""
        hold_key(tx, f"delegation {principal} {to} {team}")
        same = select(Delegation).where(
            Delegation.principal == principal, Delegation.delegate == to, Delegation.team == team,
            Delegation.revoked_at.is_(None), Delegation.starts_at < ends, Delegation.ends_at > starts,
        )
        for row in tx.scalars(same.order_by(Delegation.starts_at)):
            theirs = set(row.gates.split())
            if not theirs or not gates or theirs & set(gates):
                names = {each.name: each.printed_name for each in self.people(tx, {principal, to}).values()}
                lends, takes = names.get(principal, principal), names.get(to, to)
                return [FieldError("/to", (
                    f"{lends} has lent this to {takes} already, from {row.starts_at:%Y-%m-%d %H:%M} to "
                    f"{row.ends_at:%Y-%m-%d %H:%M} UTC. Revoke that delegation first, or choose another time."
                ))]
        return []

    def revoke_delegation(self, delegation_id: str, actor: Actor, reason: str = "") -> DelegationView:
        """Ends a delegation at once; either of the two people may, and an administrator.

        NotFound, also when it is not the caller's. Conflict when it has ended.
        """
        if fault := text_fault(reason):
            raise InvalidForm([FieldError("/reason", fault)])
        if len(reason) > LONGEST_REASON:
            raise InvalidForm([FieldError("/reason", f"Enter at most {LONGEST_REASON} characters.")])
        now = self.clock.now()
        with self.transaction() as tx:
            row = tx.get(Delegation, delegation_id, with_for_update=True)
            if row is None or not (actor.name in (row.principal, row.delegate) or actor.sees_all):
                raise NotFound("There is no such delegation of yours.")
            if actor.name not in (row.principal, row.delegate) and not actor.is_administrator:
                raise NotAllowed("Either of the two people revokes it, or an administrator.")
            if row.revoked_at is not None or row.ends_at <= now:
                raise Conflict("This delegation has ended already.")
            row.revoked_by, row.revoked_at = actor.name, now
            self.note_in_journal(tx, actor.name, "delegation_revoked", row.principal, delegation=row.id,
                                 to=row.delegate, team=row.team, reason=reason.strip())
            return delegation_view(row, now)

    def delegations(self, actor: Actor, *, state: str | None = None) -> list[DelegationView]:
        """The caller's delegations, given and taken; for `owner` and `admin` everybody's. Newest first."""
        statement = select(Delegation).order_by(Delegation.made_at.desc(), Delegation.id)
        if not actor.sees_all:
            statement = statement.where(or_(Delegation.principal == actor.name, Delegation.delegate == actor.name))
        now = self.clock.now()
        with self.reading() as session:
            views = [delegation_view(row, now) for row in session.scalars(statement)]
        return [view for view in views if state is None or view.state == state]

    def running_delegations(self, team: str) -> list[DelegationView]:
        """The delegations under which people sign for somebody of a team now."""
        with self.reading() as session:
            return self._running(session, Delegation.team == team)

    def _running(self, session: Session, which: ColumnElement[bool]) -> list[DelegationView]:
        now = self.clock.now()
        running = (Delegation.starts_at <= now, Delegation.ends_at > now, Delegation.revoked_at.is_(None))
        rows = select(Delegation).where(which, *running).order_by(Delegation.starts_at, Delegation.id)
        return [delegation_view(row, now) for row in session.scalars(rows)]

    def signers(self, at: datetime | None = None) -> Signers:
        """Which team signed which gate, in versions that were in use, and which delegations ran, at a moment (now).

        Who was of which team then is told by the journal.
        """
        moment = _in_utc(at) if at is not None else self.clock.now()
        ran = select(Delegation).where(
            Delegation.starts_at <= moment, Delegation.ends_at > moment,
            or_(Delegation.revoked_at.is_(None), Delegation.revoked_at > moment),
        )
        with self.reading() as session:
            lent = [delegation_view(row, moment) for row in session.scalars(ran.order_by(Delegation.starts_at))]
            return Signers(moment, tuple(self._gates(session, at and moment)), tuple(lent))

    def _gates(self, session: Session, at: datetime | None = None) -> list[Gate]:
        """The gates of the versions in which instances ran, or were started, at a moment; now, when none is given."""
        ran = select(Instance.version_id, func.count()).group_by(Instance.version_id)
        versions = select(ProcessVersion.id, ProcessVersion.key).where(ProcessVersion.state == "deployed")
        if at is None:
            ran = ran.where(Instance.ended_at.is_(None))
        else:
            ran = ran.where(Instance.started_at <= at, or_(Instance.ended_at.is_(None), Instance.ended_at > at))
            versions = versions.where(ProcessVersion.deployed_at <= at)
        running = dict(session.execute(ran).tuples().all())
        newest: dict[str, int] = {}
        for version_id, key in session.execute(versions.order_by(ProcessVersion.version)):
            newest[key] = version_id
        found = []
        for version_id in sorted({*running, *newest.values()}):
            definition = self.library.get(session, version_id)
            for element in (e for diagram in definition.diagrams.values() for e in diagram.elements.values()):
                if element.is_approval:
                    found.append(Gate(
                        definition.key, definition.version, element.id, element.name, element.step,
                        element.properties.get("team", ""), running.get(version_id, 0),
                        newest.get(definition.key) == version_id,
                    ))
        return found

    # --- asked by other commands --------------------------------------------------------------------------------------

    def person(self, session: Session, name: str) -> Actor | None:
        """An active person by name; None when there is none, or when this engine knows no people."""
        return self.people(session, [name]).get(name)

    def people(self, session: Session, names: Collection[str]) -> Mapping[str, Actor]:
        """The active ones of these people, by name; nobody when this engine knows no people."""
        return self.directory(session, names) if self.directory is not None else {}

    def lent_to(self, session: Session, name: str) -> list[DelegationView]:
        """The delegations under which a person may sign for others now."""
        return self._running(session, Delegation.delegate == name)

    def lent_beside(self, session: Session, row: Task, actor: Actor) -> tuple[DelegationView, ...] | None:
        """What is lent to somebody for whom a task is not there by right, and the other running delegations of its
        team; None for who sees it anyway. At most one statement."""
        if actor.sees_all or row.team in actor.teams:
            return None
        return tuple(self._running(session, or_(Delegation.delegate == actor.name, Delegation.team == row.team)))

    def sees_task(self, session: Session, row: Task, actor: Actor) -> bool:
        """Whether a task is there for somebody: of their team, or a gate that is delegated to them now."""
        return actor.sees_all or self.may_do(session, row, actor)

    def may_do(self, session: Session, row: Task, actor: Actor) -> bool:
        """Whether a task is somebody's to do: of their team, or a gate that is delegated to them now."""
        if row.team in actor.teams:
            return True
        return row.kind == "approval" and any(covers(each, row) for each in self.lent_to(session, actor.name))

    def not_there(self, session: Session, row: Task | None, actor: Actor) -> NotFound:
        """That a task is not there for somebody; who signed such gates for another person reads why they do no more."""
        past = select(Delegation).where(Delegation.delegate == actor.name).order_by(Delegation.ends_at.desc())
        now = self.clock.now()
        for each in session.scalars(past) if row is not None else ():
            if row is not None and covers(delegation_view(each, now), row):
                ended = "was revoked" if each.revoked_at else "has ended"
                when, why = ("yet", "has not begun") if each.starts_at > now else ("any more", ended)
                lends = self.person(session, each.principal)
                name = lends.printed_name if lends is not None else each.principal
                return NotFound(f"You do not sign for {name} {when}: the delegation {why}.")
        return NotFound("There is no such task for you.")

    def right_to_sign(
        self, session: Session, row: Task, actor: Actor, worked: set[str], worth: Callable[[], Sequence[Amount]],
        lent: Sequence[DelegationView] | None = None,
    ) -> Lent | None:
        """In whose place an actor signs a gate: None when in their own right.

        `worked` are the people who may not sign because they worked on the order, `worth` tells what the order is
        worth, `lent` holds what is lent to the actor, where that is known. NotAnApprover when there is no right at all:
        with a delegation that cannot be used, it says why.
        """
        if row.team in actor.teams:
            return None
        refused = NotAnApprover(f"Only {row.team.replace('-', ' ')} sign this gate.")
        if actor.sees_all or self.directory is None:
            raise refused
        running = self.lent_to(session, actor.name) if lent is None else lent
        about = [each for each in running if each.delegate == actor.name and covers(each, row)]
        people = self.people(session, {actor.name, *(each.principal for each in about)}) if about else {}
        for each in about:
            try:
                return _use(each, people, worked, worth)
            except NotAnApprover as why:
                refused = why
        raise refused


def _use(
    lent: DelegationView, people: Mapping[str, Actor], worked: set[str], worth: Callable[[], Sequence[Amount]]
) -> Lent:
    """The right that a delegation gives to a signature now. NotAnApprover says why it gives none."""
    lends, takes = people.get(lent.principal), people.get(lent.delegate)
    if lends is None or lent.team not in lends.teams:
        raise NotAnApprover(
            f"{lent.principal} may not sign this gate any more, so nobody can sign for them.", lent.principal
        )
    if takes is None or takes.sees_all:
        raise NotAnApprover("You may not sign for others any more.")
    if lent.principal in worked:
        raise NotAnApprover(f"{lends.printed_name} worked on this order, so nobody can sign it for them.")
    if lent.up_to is not None and not lent.up_to.covers(worth()):
        raise NotAnApprover(f"This order is above the amount up to which you sign for {lends.printed_name}.")
    return Lent(lends, lent)


def covers(lent: DelegationView, row: Task) -> bool:
    """Whether a delegation is about this gate."""
    return row.kind == "approval" and lent.team == row.team and (not lent.gates or row.element in lent.gates)


def covered(lent: DelegationView) -> ColumnElement[bool]:
    """The same, as a condition on rows of tasks."""
    about = and_(Task.kind == "approval", Task.team == lent.team)
    return and_(about, Task.element.in_(lent.gates)) if lent.gates else about


def _in_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _wrong_limit(limit: Amount | None) -> list[FieldError]:
    if limit is None:
        return []
    if not 0 < limit.amount <= MOST:
        return [FieldError("/up_to/amount", "Enter an amount above zero, or none for no limit.")]
    if not re.fullmatch("[A-Z]{3}", limit.currency):
        return [FieldError("/up_to/currency", "Give an ISO 4217 code such as USD.")]
    return []


def _faults(starts: datetime, ends: datetime, now: datetime, reason: str) -> list[FieldError]:
    faults = []
    if ends <= now:
        faults.append(FieldError("/ends_at", "Choose a time that is still to come."))
    elif ends <= starts:
        faults.append(FieldError("/ends_at", "It ends before it begins. Choose a later time."))
    elif ends - starts > LONGEST:
        faults.append(FieldError("/ends_at", f"A delegation runs for at most {LONGEST.days} days."))
    if fault := text_fault(reason):
        faults.append(FieldError("/reason", fault))
    elif not reason.strip():
        faults.append(FieldError("/reason", "Say why; it is kept in the journal."))
    elif len(reason) > LONGEST_REASON:
        faults.append(FieldError("/reason", f"Enter at most {LONGEST_REASON} characters."))
    return faults
