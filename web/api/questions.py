"""Questions about orders between teams: ask, list, answer, withdraw."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.questions import LONGEST_QUESTION
from engine.views import Actor, QuestionView
from web import accounts
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Input, Listing, Output, Paging, Time

calls = Calls("questions")

State = Literal["open", "answered", "withdrawn"]


class QuestionQuery(Paging):
    """Which questions."""

    team: str | None = Field(None, max_length=80, description="Who is to answer.")
    mine: bool = Field(False, description="Only those that the caller asked.")
    state: State | None = None


class Ask(Input):
    """A question about an order."""

    text: str = Field(min_length=1, max_length=LONGEST_QUESTION, pattern=r"\S")
    team: str = Field(min_length=1, max_length=80, description="Who is to answer.")
    person: str | None = Field(
        None, min_length=1, max_length=80, description="User name of who is meant; colleagues may answer too."
    )
    task: str | None = Field(None, min_length=1, max_length=36, description="The task from which it is asked.")


class Answer(Input):
    """What the asked team says."""

    text: str = Field(min_length=1, max_length=LONGEST_QUESTION, pattern=r"\S")


class QuestionOut(Output):
    """A question with its answer."""

    id: str
    order: str
    task: str | None
    asked_by: str
    from_team: str
    team: str
    person: str | None
    text: str
    asked_at: Time
    state: State
    answered_by: str | None
    answered_at: Time | None
    answer: str | None


class QuestionList(Listing[QuestionOut]):
    """A page of questions."""


@calls.post(
    "/orders/<number>/questions", permission="questions.write", body=Ask, returns={201: QuestionOut},
    problems=(404, 409),
)  # fmt: skip
def ask_question(caller: Caller, number: str, body: Ask) -> QuestionOut:
    """Ask a team, or one person of it, about an order. It blocks nothing. 409 when the order has ended."""
    person = None
    if body.person is not None:
        with caller.services.engine.reading() as session:
            user = accounts.find_user(session, body.person)
            # nobody is in no team: the engine says so, after it has said whether the order is there at all
            there = user is not None and user.active
            person = accounts.actor(user, caller.services.teams.known()) if user and there else Actor(body.person)
    asked = caller.services.engine.ask(
        number, caller.actor, body.text, team=body.team, person=person, task_id=body.task
    )
    return _body(asked)


@calls.get("/questions", permission="questions.read", query=QuestionQuery, returns={200: QuestionList})
def list_questions(caller: Caller, query: QuestionQuery) -> QuestionList:
    """List questions to the caller's teams and those the caller asked, longest waiting first (owner, admin: all)."""
    page = caller.services.engine.questions(
        caller.actor, team=query.team, mine=query.mine, state=query.state, limit=query.size, cursor=query.cursor
    )
    return QuestionList(items=[_body(one) for one in page.items], next=page.next)


@calls.get("/questions/<id>", permission="questions.read", returns={200: QuestionOut}, problems=(404,))
def get_question(caller: Caller, id: str) -> QuestionOut:  # noqa: A002 - the path's own word
    """Read one question; whoever may read orders may."""
    return _body(caller.services.engine.question(id))


@calls.post(
    "/questions/<id>/answer", permission="questions.write", body=Answer, returns={200: QuestionOut}, problems=(404, 409)
)
def answer_question(caller: Caller, id: str, body: Answer) -> QuestionOut:  # noqa: A002
    """Answer a question to one of the caller's teams, once. Also when the order has ended meanwhile."""
    return _body(caller.services.engine.answer(id, caller.actor, body.text))


@calls.post("/questions/<id>/withdraw", permission="questions.write", returns={200: QuestionOut}, problems=(404, 409))
def withdraw_question(caller: Caller, id: str) -> QuestionOut:  # noqa: A002
    """Take an open question of one's own back."""
    return _body(caller.services.engine.withdraw_question(id, caller.actor))


def _body(question: QuestionView) -> QuestionOut:
    return QuestionOut.model_validate(question)
