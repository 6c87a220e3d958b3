"""Questions about an order from one team to another: asked, answered, withdrawn, in the order's history.

A question moves no token and blocks no task. Whoever may read the order may ask; only the asked team answers. An order
that has ended takes answers to what was asked before, and no new questions.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from engine import forms
from engine.definitions import Element
from engine.errors import AlreadyDone, InvalidForm, NotAllowed, NotFound, TooLate
from engine.reads import Reads
from engine.rows import cursor_of, read_cursor
from engine.store.tables import Question, Task
from engine.unit import Unit
from engine.views import Actor, Page, QuestionState, QuestionView
from handlers.contract import FieldError

LONGEST_QUESTION = 2000
"""Characters of a question, and of its answer."""


class Questions(Reads):
    """Ask, answer, withdraw, and the lists of questions."""

    def ask(
        self, business_key: str, actor: Actor, text: str, *, team: str, person: Actor | None = None,
        task_id: str | None = None,
    ) -> QuestionView:
        """Asks a team, or one person of it, about an order; with `task_id` from that task.

        Colleagues of the person may answer too, so that nobody waits for somebody who is away. InvalidForm: no text,
        no such team, a person of another team. TooLate: the order has ended. NotFound.
        """
        text = _said(text, "/text", "Write the question")
        known = self.working_teams()
        if not team or (known is not None and team not in known):
            raise InvalidForm([FieldError("/team", "Choose the team that can answer.")])
        if person is not None and team not in person.teams:
            raise InvalidForm([FieldError("/person", f"{person.printed_name} is not in the team {team}.")])
        if person is not None and person.name == actor.name:
            raise InvalidForm([FieldError("/person", "Ask somebody else than yourself.")])
        with self.transaction() as tx:
            unit = Unit.lock(self, tx, actor, key=business_key)
            if unit.status in ("closed", "cancelled"):
                raise TooLate(f"{business_key} has ended, so it takes no new questions. Write a note instead.")
            element = self._asked_from(tx, unit, actor, task_id)
            row = Question(
                id=str(uuid.uuid4()), instance_id=unit.row.id, business_key=business_key, task_id=task_id,
                asked_by=actor.name, from_team=_team_of(actor), to_team=team,
                to_person=person.name if person else None, text=text, asked_at=self.clock.now(), state="open",
                answered_by=None, answered_at=None, answer=None, read_at=None,
            )
            tx.add(row)
            unit.event("asked", element, comment=text, question=row.id, team=team,
                       **({"person": person.name} if person else {}))
            self._tell(tx, unit, element, row, actor)
            unit.save()
            return question_view(row)

    def answer(self, question_id: str, actor: Actor, text: str) -> QuestionView:
        """Answers an open question. Only people of the asked team do, also when the order has ended meanwhile.

        NotAllowed: the actor is of another team. AlreadyDone: it was answered or withdrawn. InvalidForm, NotFound.
        """
        text = _said(text, "/text", "Write the answer")
        with self.transaction() as tx:
            unit, row = self._question(tx, question_id, actor)
            if row.to_team not in actor.teams:
                raise NotAllowed(f"This question is for the team {row.to_team}; you may read it.")
            _must_be_open(row)
            row.state, row.answer = "answered", text
            row.answered_by, row.answered_at = actor.name, self.clock.now()
            unit.event("answered", comment=text, question=row.id, to=row.asked_by)
            unit.save()
            return question_view(row)

    def withdraw_question(self, question_id: str, actor: Actor) -> QuestionView:
        """Takes an open question back. Only who asked it does. NotAllowed, AlreadyDone, NotFound."""
        with self.transaction() as tx:
            unit, row = self._question(tx, question_id, actor)
            if row.asked_by != actor.name:
                raise NotAllowed(f"{row.asked_by} asked this question and alone can withdraw it.", row.asked_by)
            _must_be_open(row)
            row.state = "withdrawn"
            unit.event("question_withdrawn", question=row.id, team=row.to_team)
            unit.save()
            return question_view(row)

    def note_read(self, question_id: str, actor: Actor) -> QuestionView:
        """Notes that who asked has read the answer, so that it is no longer shown as new. NotAllowed, NotFound."""
        with self.transaction() as tx:
            row = tx.get(Question, question_id, with_for_update=True)
            if row is None:
                raise NotFound("There is no such question.")
            if row.asked_by != actor.name:
                raise NotAllowed(f"{row.asked_by} asked this question.", row.asked_by)
            if row.state == "answered" and row.read_at is None:
                row.read_at = self.clock.now()
            return question_view(row)

    def _asked_from(self, tx: Session, unit: Unit, actor: Actor, task_id: str | None) -> Element | None:
        """The element of the task that a question comes from. NotFound: no such task of this order for the actor."""
        if task_id is None:
            return None
        task = tx.get(Task, task_id)
        if task is None or task.instance_id != unit.row.id or not self.sees_task(tx, task, actor):
            raise NotFound("There is no such task for you.")
        return unit.definition.element(task.process, task.element)

    @staticmethod
    def _tell(tx: Session, unit: Unit, element: Element | None, row: Question, actor: Actor) -> None:
        """Has the asked people told by mail. Such a job stands at an element: the task's, else the newest task's."""
        if element is None:
            newest = select(Task.process, Task.element).where(Task.instance_id == unit.row.id)
            found = tx.execute(newest.order_by(Task.created_at.desc(), Task.id).limit(1)).one_or_none()
            if found is None:
                return  # an instance that has not come to a person yet; the question waits in the inbox
            element = unit.definition.element(found.process, found.element)
        unit.tell(
            element, f"{row.business_key}:question:{row.id}", "question", title=f"Question from {actor.printed_name}",
            text=row.text, teams=() if row.to_person else (row.to_team,),
            people=(row.to_person,) if row.to_person else (),
        )

    def _question(self, tx: Session, question_id: str, actor: Actor) -> tuple[Unit, Question]:
        """Locks the instance of a question, then reads the question as it is now. NotFound."""
        instance_id = tx.execute(select(Question.instance_id).where(Question.id == question_id)).scalar_one_or_none()
        if instance_id is None:
            raise NotFound("There is no such question.")
        unit = Unit.lock(self, tx, actor, id_=instance_id)
        statement = select(Question).where(Question.id == question_id).execution_options(populate_existing=True)
        return unit, tx.scalars(statement).one()

    # --- lists --------------------------------------------------------------------------------------------------------

    def question(self, question_id: str) -> QuestionView:
        """One question; whoever may read the order may read it. NotFound."""
        with self.reading() as session:
            row = session.get(Question, question_id)
            if row is None:
                raise NotFound("There is no such question.")
            return question_view(row)

    def questions(
        self, actor: Actor, *, team: str | None = None, mine: bool = False, state: QuestionState | None = None,
        limit: int = 50, cursor: str | None = None,
    ) -> Page[QuestionView]:
        """Questions to the actor's teams and those the actor asked, longest waiting first; `mine` the latter alone."""
        conditions: list[ColumnElement[bool]] = [] if actor.sees_all else [
            or_(Question.to_team.in_(sorted(actor.teams)), Question.asked_by == actor.name)
        ]
        if team is not None:
            conditions.append(Question.to_team == team)
        if mine:
            conditions.append(Question.asked_by == actor.name)
        if state is not None:
            conditions.append(Question.state == state)
        if cursor is not None:
            at, last = read_cursor(cursor)
            conditions.append(or_(Question.asked_at > at, and_(Question.asked_at == at, Question.id > last)))
        limit = max(1, min(limit, 200))
        statement = select(Question).where(*conditions).order_by(Question.asked_at, Question.id).limit(limit + 1)
        with self.reading() as session:
            rows = list(session.scalars(statement))
        following = cursor_of(rows[limit - 1].asked_at, rows[limit - 1].id) if len(rows) > limit else None
        return Page(tuple(question_view(row) for row in rows[:limit]), following)

    def waiting_questions(self, actor: Actor, *, limit: int = 20) -> Sequence[QuestionView]:
        """What the inbox shows: open questions to the actor's teams, longest waiting first, then answers not yet read.

        Owner and admin see all teams' tasks and do none, so only what is for their own team counts. One statement.
        """
        statement = (
            select(Question)
            .where(or_(
                and_(Question.state == "open", Question.to_team.in_(sorted(actor.teams))),
                and_(Question.state == "answered", Question.asked_by == actor.name, Question.read_at.is_(None)),
            ))
            .order_by(Question.state.desc(), Question.asked_at, Question.id).limit(limit)
        )
        with self.reading() as session:
            return [question_view(row) for row in session.scalars(statement)]

    def order_questions(self, business_key: str) -> Sequence[QuestionView]:
        """Every question about an order, newest first."""
        statement = (
            select(Question).where(Question.business_key == business_key)
            .order_by(Question.asked_at.desc(), Question.id)
        )
        with self.reading() as session:
            return [question_view(row) for row in session.scalars(statement)]


def question_view(row: Question) -> QuestionView:
    return QuestionView(
        id=row.id, order=row.business_key, task=row.task_id, asked_by=row.asked_by, from_team=row.from_team,
        team=row.to_team, person=row.to_person, text=row.text, asked_at=row.asked_at,
        state=cast(QuestionState, row.state), answered_by=row.answered_by, answered_at=row.answered_at,
        answer=row.answer, read_at=row.read_at,
    )


def _said(text: Any, at: str, what: str) -> str:
    """What a person wrote, without blanks around it. InvalidForm: nothing, or too much."""
    forms.check_values(text, at=at)
    said = text.strip()
    if not 0 < len(said) <= LONGEST_QUESTION:
        raise InvalidForm([FieldError(at, f"{what}, in at most {LONGEST_QUESTION:,} characters.")])
    return str(said)


def _team_of(actor: Actor) -> str:
    return min(actor.teams, default="")


def _must_be_open(row: Question) -> None:
    if row.state == "answered":
        raise AlreadyDone(f"The question is answered already, by {row.answered_by}.", row.answered_by)
    if row.state == "withdrawn":
        raise AlreadyDone("The question was withdrawn.")
