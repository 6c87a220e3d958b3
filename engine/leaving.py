"""What somebody leaves behind who goes away or changes teams: the tasks they had go back to their teams."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.inbox import Inbox
from engine.store.tables import Task
from engine.unit import Unit
from engine.views import SYSTEM, Actor


class Absences(Protocol):
    """Knows whose absence begins when."""

    def begun(self, session: Session, now: datetime) -> Sequence[str]:
        """Who is to lose their claimed tasks because their absence has begun, and has not lost them yet."""

    def take(self, session: Session, name: str, now: datetime) -> str | None:
        """Takes somebody off that list: the reason for the history; None when they are off it, or back already."""


class Leaving(Inbox):
    """Commands about the tasks of one person, within the transaction that takes the person away from them."""

    absences: Absences | None = None
    """None in an installation without people."""

    def release_absent(self) -> int:
        """Gives back what people have claimed whose absence has begun by the engine's clock; how many tasks."""
        if self.absences is None:
            return 0
        with self.reading() as session:
            names = self.absences.begun(session, self.clock.now())
        return sum(self._release_absent(self.absences, name) for name in names)

    def _release_absent(self, absences: Absences, name: str) -> int:
        with self.transaction() as tx:
            why = absences.take(tx, name, self.clock.now())
            return self.release_tasks(tx, name, SYSTEM, why=why) if why is not None else 0

    def release_tasks(
        self, session: Session, name: str, actor: Actor, *, keep: Collection[str] = (), why: str = ""
    ) -> int:
        """Gives the tasks that somebody has claimed back to their teams, but those of the teams in `keep`; how many.

        Each order's history says by whom and why. Drafts stay with the tasks.
        """
        mine = select(Task.id).where(Task.state == "open", Task.assignee == name, Task.team.not_in(sorted(keep)))
        released = 0
        for task_id in list(session.scalars(mine.order_by(Task.instance_id))):  # in one order: no two wait crosswise
            unit, row = Unit.lock_task(self, session, actor, task_id)
            if row.state != "open" or row.assignee != name:
                continue  # done or taken over while the order was waited for
            unit.event("released", unit.definition.element(row.process, row.element), was=name, reason=why)
            self._assign(row, None)
            unit.save()
            session.flush()
            released += 1
        return released

    def open_tasks_of_team(self, session: Session, team: str) -> int:
        """How many open tasks wait for a team."""
        statement = select(func.count()).select_from(Task).where(Task.state == "open", Task.team == team)
        return session.scalars(statement).one()
