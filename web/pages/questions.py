"""Questions to another team: asking from an order or a task, the list, and the page with the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, make_response, redirect, request, url_for

from engine.errors import AlreadyDone, InvalidForm, NotAllowed, TooLate
from engine.views import Actor, QuestionView
from web import accounts
from web.names import named, who
from web.pages.errors import error_page
from web.pages.shell import first, live, me, page_of, word
from web.permissions import permission
from web.services import current_services
from web.texts import _

_PER_PAGE = 50
_IN_INBOX = 6
_VIEWS = ("waiting", "mine", "all")


def register(pages: Blueprint) -> None:
    add = pages.add_url_rule
    add("/orders/<number>/question", "ask_question", ask)
    add("/orders/<number>/question", "question_asked", asked, methods=["POST"])
    add("/questions", "questions", listing)
    add("/questions/<question_id>", "question", show)
    add("/questions/<question_id>/answer", "answer_question", answer, methods=["POST"])
    add("/questions/<question_id>/withdraw", "withdraw_question", withdraw, methods=["POST"])
    add("/questions/<question_id>/read", "question_read", read, methods=["POST"])
    add("/inbox/questions", "inbox_questions", inbox_part)
    pages.add_app_template_global(first_questions, "first_questions")
    pages.add_app_template_global(about, "questions_about")


@permission("questions.write")
def ask(number: str) -> Any:
    """The page on which a question is written."""
    current_services().engine.instance(number)
    return _ask_page(number, "", "", request.args.get("task"))


@permission("questions.write")
def asked(number: str) -> Any:
    """Asks it."""
    text, to, task = (request.form.get(name, "") for name in ("text", "to", "task"))
    team, _slash, name = to.partition("/")
    engine, actor = current_services().engine, me().actor
    try:
        person = _person(name) if name else None
        question = engine.ask(number, actor, text, team=team, person=person, task_id=task or None)
    except InvalidForm as refused:
        return make_response(_ask_page(number, text, to, task, refused), 422)
    except TooLate as refused:
        return error_page(409, _("This was not asked"), named(refused), back=url_for("pages.order", number=number))
    flash(_("Your question is with %(whom)s. The answer comes to your inbox.", whom=_asked_of(question)))
    where = url_for("pages.task", task_id=task) if task else url_for("pages.order", number=number)
    return redirect(where, 303)


@permission("questions.read")
def listing() -> Any:
    """Questions to my teams and those that I asked."""
    view = request.args.get("view", "waiting")
    view = view if view in _VIEWS else "waiting"
    try:
        page = current_services().engine.questions(
            me().actor,
            mine=view == "mine",
            state="open" if view == "waiting" else None,
            limit=_PER_PAGE,
            cursor=request.args.get("cursor"),
        )
    except InvalidForm:
        return redirect(url_for("pages.questions"))
    return page_of("questions.html", section="inbox", view=view, page=page)


@permission("questions.read")
def show(question_id: str) -> Any:
    """One question, with what the reader may do about it."""
    return _page(current_services().engine.question(question_id))


@permission("questions.write")
def answer(question_id: str) -> Any:
    """Answers it. What was written is kept when it is refused."""
    engine, text = current_services().engine, request.form.get("text", "")
    try:
        done = engine.answer(question_id, me().actor, text)
    except InvalidForm as refused:
        page = _page(engine.question(question_id), text=text, error=refused.errors[0].message)
        return make_response(page, 422)
    except (AlreadyDone, NotAllowed) as refused:
        page = _page(engine.question(question_id), text=text, notice=named(refused))
        return make_response(page, 409 if isinstance(refused, AlreadyDone) else 403)
    name = who(done.asked_by)
    flash(_("%(name)s has your answer. It stands in the history of %(order)s.", name=name, order=done.order))
    return redirect(url_for("pages.inbox"), 303)


@permission("questions.write")
def withdraw(question_id: str) -> Any:
    """Takes it back."""
    engine = current_services().engine
    try:
        done = engine.withdraw_question(question_id, me().actor)
    except (AlreadyDone, NotAllowed) as refused:
        page = _page(engine.question(question_id), notice=named(refused))
        return make_response(page, 409 if isinstance(refused, AlreadyDone) else 403)
    flash(_("Your question about %(order)s is withdrawn.", order=done.order))
    return redirect(url_for("pages.question", question_id=question_id), 303)


@permission("questions.write")
def read(question_id: str) -> Any:
    """Takes a read answer out of the inbox."""
    try:
        current_services().engine.note_read(question_id, me().actor)
    except NotAllowed as refused:
        return error_page(403, detail=named(refused), back=url_for("pages.question", question_id=question_id))
    return redirect(url_for("pages.inbox"), 303)


@permission("questions.read")
def inbox_part() -> Any:
    """The questions above the tasks, asked for every few seconds."""
    return live("parts/inbox_questions.html", questions=waiting())


def first_questions() -> str:
    """The same part, for the inbox's templates."""
    return first("parts/inbox_questions.html", questions=waiting())


def waiting() -> Sequence[QuestionView]:
    """What the inbox of the one who looks shows, one more than it lists; one statement."""
    return current_services().engine.waiting_questions(me().actor, limit=_IN_INBOX + 1)


def about(number: str) -> Sequence[QuestionView]:
    """The questions about an order that stand on its pages: not those that were withdrawn. For templates."""
    found = current_services().engine.order_questions(number)
    return [question for question in found if question.state != "withdrawn"]


def _ask_page(number: str, text: str, to: str, task: str | None, refused: InvalidForm | None = None) -> str:
    errors = {error.field.strip("/"): error.message for error in refused.errors} if refused else {}
    return page_of("question_ask.html", section="orders", number=number, text=text, to=to, task=task or "",
                   choices=_choices(), errors=errors)  # fmt: skip


def _choices() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Each team with its people, for the list of whom to ask."""
    mine = me().name
    with current_services().database.read() as session:
        people = [user for user in accounts.users(session) if user.active and user.name != mine]
    return [
        (key, team.title, [(f"{key}/{user.name}", user.display_name) for user in people if key in user.teams])
        for key, team in current_services().teams.known().items() if team.active
    ]  # fmt: skip


def _person(name: str) -> Actor:
    with current_services().database.read() as session:
        user = accounts.find_user(session, name)
        if user is None or not user.active:
            return Actor(name)  # of no team, as the engine then says
        return accounts.actor(user, current_services().teams.known())


def _page(question: QuestionView, *, text: str = "", error: str | None = None, notice: str | None = None) -> str:
    person = me()
    return page_of(
        "question.html",
        section="inbox",
        question=question,
        to=_asked_of(question),
        may_answer=question.state == "open" and question.team in person.actor.teams,
        mine=question.asked_by == person.name,
        text=text,
        error=error,
        notice=notice,
    )


def _asked_of(question: QuestionView) -> str:
    team = word(question.team)
    return f"{who(question.person)}, {team}" if question.person else team
