"""Asking another team, without scripts: from the page of an order or a task to the answer."""

from __future__ import annotations

from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_pages_scanning import placed_at
from tests.web.visitor import Visitor, open_task, visitor


def asks(who: Visitor, order: str, text: str, to: str, task: str = "") -> None:
    """Asks by the page."""
    page = who.goes(f"/orders/{order}/question" + (f"?task={task}" if task else ""))
    done = who.sends(f"/orders/{order}/question", page.form("/question"), text=text, to=to)
    assert "Your question is with" in done.text, done.text


def test_a_question_goes_from_a_task_to_an_inbox_and_back(world: World) -> None:
    """The task page shows since when it waits, then the answer; the asker's inbox shows it until it was read."""
    order = placed_at(world, 10)
    task, warehouse, finance = open_task(world, order), visitor(world, "warehouse"), visitor(world, "finance")
    asked_at = warehouse.goes(f"/tasks/{task}").link("Ask a question")
    assert asked_at == f"/orders/{order}/question?task={task}"

    asks(warehouse, order, "Has the deposit arrived?", "finance", task)
    assert "Question to Finance, waiting since 08:00" in warehouse.goes(f"/tasks/{task}").text
    assert "Has the deposit arrived?" not in warehouse.goes("/inbox").text
    inbox = finance.goes("/inbox")
    assert f"{order} · from Mei Tan" in inbox.text

    page = finance.goes(inbox.link("Has the deposit arrived?"))
    assert page.heading == "Question to Finance"
    address = page.find("//form[contains(@action, '/answer')]/@action")[0]
    assert "Mei Tan has your answer" in finance.sends(address, page.form("/answer"), text="Yes, this morning.").text

    shown = warehouse.goes(f"/tasks/{task}").text
    assert "Question to Finance, answered" in shown
    assert "Priya Nair: Yes, this morning." in shown
    answer = warehouse.goes(warehouse.goes("/inbox").link("Yes, this morning."))
    assert "Yes, this morning." not in warehouse.sends(f"/questions{address[10:-7]}/read", answer.form("/read")).text
    history = warehouse.goes(f"/orders/{order}").text
    assert "asked Finance" in history
    assert "answered" in history


def test_a_question_that_says_nothing_comes_back(world: World) -> None:
    """With what was chosen and written, and which field is wrong."""
    order = world.place()
    who = visitor(world, "warehouse")
    form = who.goes(f"/orders/{order}/question").form("/question")

    nobody = who.sends(f"/orders/{order}/question", form, text="Where?", to="")
    assert nobody.status == 422
    assert "Choose the team that can answer." in nobody.text
    assert nobody.value("text").strip() == "Where?"

    nothing = who.sends(f"/orders/{order}/question", form, text=" ", to="finance")
    assert nothing.status == 422
    assert "Write the question" in nothing.text
    assert nothing.find("//option[@selected]/@value") == ["finance"]

    other = who.sends(f"/orders/{order}/question", form, text="Where?", to="finance/sales")
    assert other.status == 422
    assert "is not in the team" in other.text


def test_who_may_not_answer_reads(world: World) -> None:
    """The page has no field for them, and a sent form is refused with the reason."""
    order = world.place()
    asks(visitor(world, "warehouse"), order, "Has the deposit arrived?", "finance/finance")
    (question,) = world.engine.order_questions(order)
    sales = visitor(world, "sales")

    page = sales.goes(f"/questions/{question.id}")
    assert "Finance answers it. You may read it." in page.text
    assert page.find("//textarea") == []
    token = {"csrf_token": page.value("csrf_token"), "text": "Yes."}
    assert sales.sends(f"/questions/{question.id}/answer", token).status == 403
    assert sales.sends(f"/questions/{question.id}/withdraw", token).status == 403
    assert world.engine.question(question.id).state == "open"


def test_whoever_answers_late_keeps_what_was_written(world: World) -> None:
    """A colleague was faster: the page says who and still shows both answers."""
    order = world.place()
    asks(visitor(world, "warehouse"), order, "Has the deposit arrived?", "finance")
    (question,) = world.engine.order_questions(order)
    finance = visitor(world, "finance")
    form = finance.goes(f"/questions/{question.id}").form("/answer")
    finance.sends(f"/questions/{question.id}/answer", form, text="Yes.")

    late = finance.sends(f"/questions/{question.id}/answer", form, text="Not yet, I think.")

    assert late.status == 409
    assert "answered already, by Priya Nair." in late.text
    assert "Not yet, I think." in late.text


def test_a_withdrawn_question_waits_for_nobody(world: World) -> None:
    """It leaves the other team's inbox and says on its page that it was taken back."""
    order = world.place()
    warehouse, finance = visitor(world, "warehouse"), visitor(world, "finance")
    asks(warehouse, order, "Has the deposit arrived?", "finance")
    (question,) = world.engine.order_questions(order)

    page = warehouse.goes(f"/questions/{question.id}")
    assert "is withdrawn" in warehouse.sends(f"/questions/{question.id}/withdraw", page.form("/withdraw")).text

    assert "Has the deposit arrived?" not in finance.goes("/inbox").text
    assert "It was withdrawn." in finance.goes(f"/questions/{question.id}").text
    assert "Has the deposit arrived?" not in finance.goes(f"/orders/{order}").text.split("History")[0]


def test_an_order_that_has_ended_offers_no_question(world: World) -> None:
    """Neither the button nor the form sent nevertheless."""
    order = world.place()
    who = visitor(world, "sales")
    form = who.goes(f"/orders/{order}/question").form("/question")
    world.of("sales").post(f"/orders/{order}/cancel", {"reason": "She changed her mind."})
    world.work()

    assert "Ask a question" not in who.goes(f"/orders/{order}").text
    refused = who.sends(f"/orders/{order}/question", form, text="Why?", to="finance")
    assert refused.status == 409
    assert "takes no new questions" in refused.text


def test_questions_cost_the_inbox_one_statement(world: World) -> None:
    """However many there are; the whole inbox stays within 12."""
    order = world.place()
    who = visitor(world, "finance")
    seen = []
    for many in (1, 8):
        for _ in range(many):
            asks(visitor(world, "warehouse"), order, "Has the deposit arrived?", "finance")
        with statements(world.database) as sent:
            page = who.goes("/inbox")
        seen.append(len(sent))
    assert seen[0] == seen[1] <= 12
    assert len(page.find("//div[@id='questions']//li")) == 6
    assert page.link("All questions") == "/questions"
    listed = who.goes("/questions")
    assert len(listed.find("//main//tbody/tr")) == 9
    assert who.goes("/questions?view=mine").find("//main//tbody/tr") == []
