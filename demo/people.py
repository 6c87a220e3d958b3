"""The demo's people: operators who do tasks, approvers who sign gates, an owner who looks after incidents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from demo.dice import Dice
from engine.errors import AlreadyDecided, AlreadyDone, InvalidForm, SeparationOfDuties, StaleSnapshot, TakenByAnother
from engine.views import Actor, TaskDetail, TaskView

if TYPE_CHECKING:
    from engine import Engine

Form = dict[str, Any]

OPERATORS = {team: Actor(team, frozenset([team])) for team in ("sales", "warehouse", "finance", "shipping")}
APPROVERS = {
    "stock-approvers": [Actor(n, frozenset(["stock-approvers"])) for n in ("stock-approver", "stock-approver-2")],
    "payment-approvers": [Actor(n, frozenset(["payment-approvers"])) for n in ("payment-approver",
                                                                              "payment-approver-2")],
}
OWNER = Actor("owner", frozenset(["owner"]), sees_all=True)
WEBSHOP = Actor("webshop", frozenset(["sales"]))
"""Whom the history names for orders that customers place themselves."""

_DECISIONS = {"approve": 87.0, "send_back": 9.0, "reject": 4.0}
_REASONS = {
    "send_back": ("Please look at the quantities once more.", "The amount looks wrong to me; check it again."),
    "reject": ("We do not serve this customer any more.", "The order is a duplicate."),
}


class People:
    """Plays everybody who works here. What somebody does depends on the seed, the order and how often they did it."""

    def __init__(self, engine: Engine, dice: Dice, *, leaves: Callable[[TaskView], bool] = lambda _task: False,
                 prompt: bool = False) -> None:
        """`leaves` says which tasks stay for real people; `prompt` people put nothing off."""
        self._engine, self._dice, self._leaves, self._prompt = engine, dice, leaves, prompt
        self._left: set[tuple[str, int]] = set()
        """Tasks that somebody decided to put off, at the priority they had then."""

    def tick(self) -> int:
        """Everybody does what is open now; returns how many tasks were done."""
        done, cursor = 0, None
        while True:
            page = self._engine.tasks(OWNER, limit=200, cursor=cursor)
            done += sum(self.act(task) for task in page.items if not self._leaves(task))
            cursor = page.next
            if cursor is None:
                return done

    def act(self, task: TaskView) -> bool:
        """Does one task, if its person gets round to it now."""
        if task.assignee is not None and task.assignee not in self._names(task.team):
            return False  # a real person has it
        if (task.id, task.priority) in self._left:
            return False
        if self._puts_off(task):
            self._left.add((task.id, task.priority))
            return False
        try:
            return self._sign(task) if task.kind == "approval" else self._complete(task)
        except (AlreadyDone, AlreadyDecided, TakenByAnother, StaleSnapshot):
            return False  # somebody or something was faster

    @staticmethod
    def _names(team: str) -> set[str]:
        if team in APPROVERS:
            return {actor.name for actor in APPROVERS[team]}
        return {OPERATORS[team].name} if team in OPERATORS else set()

    def _puts_off(self, task: TaskView) -> bool:
        """Some wait until they are reminded; a pickup is left to the courier's own message, as a rule."""
        visit = self._visit(task)
        if task.element == "confirm_pickup":
            return not self._dice.chance(0.08, task.order, visit, "confirms by hand")
        if self._prompt:
            return False
        if task.element == "approve_reservation" and visit == 1 and self._dice.chance(0.03, task.order, "on leave"):
            return True  # the reservation expires unsigned; the next approver is back
        return task.priority == 0 and self._dice.chance(0.04, task.order, task.element, visit, "puts off")

    def _visit(self, task: TaskView) -> int:
        return sum(1 for t in self._engine.order_tasks(task.order) if t.element == task.element)

    # --- gates --------------------------------------------------------------------------------------------------------

    def _sign(self, task: TaskView) -> bool:
        visit = self._visit(task)
        decision = self._dice.weigh(_DECISIONS, task.order, task.element, "decides") if visit == 1 else "approve"
        for approver in APPROVERS.get(task.team, []):
            detail = self._engine.task(task.id, approver)
            approval = detail.approval
            if approval is None or approval.blocked:
                continue
            back = None
            if decision == "send_back":
                back = self._dice.pick([step for step, _ in approval.send_back_to], task.order, task.element, "back")
            comment = self._dice.pick(_REASONS[decision], task.order, "why") if decision in _REASONS else ""
            try:
                self._engine.decide(task.id, approver, decision, comment=comment,  # type: ignore[arg-type]
                                    snapshot=approval.snapshot, send_back_to=back)
            except SeparationOfDuties:
                continue
            return True
        return False

    # --- forms --------------------------------------------------------------------------------------------------------

    def _complete(self, task: TaskView) -> bool:
        who = OPERATORS.get(task.team)
        if who is None:
            return False
        detail = self._engine.task(task.id, who)
        if detail.incident is not None:
            return False
        for form in self._answers(task, detail):
            try:
                self._engine.complete(task.id, who, form)
            except InvalidForm:
                continue  # not possible for this order: the next best answer
            return True
        return False

    def _answers(self, task: TaskView, detail: TaskDetail) -> list[Form]:
        """What the person would like to answer, best first; the form's own example last."""
        example: Form = dict((detail.form.get("examples") or [{}])[0])
        made = _ANSWERS.get(task.element)
        if made is None:
            return [example]
        return [*made(self._dice, task, self._visit(task), example), example]

    # --- incidents ----------------------------------------------------------------------------------------------------

    def retry_incidents(self, tried: set[str]) -> int:
        """The owner retries each incident once."""
        retried = 0
        for job in self._engine.jobs(state="dead", limit=200).items:
            if job.id not in tried:
                tried.add(job.id)
                self._engine.retry(job.id, OWNER)
                retried += 1
        return retried


def _resolve_shortage(dice: Dice, task: TaskView, visit: int, example: Form) -> list[Form]:
    choice = "cancel" if visit > 3 else dice.weigh(
        {"fewer": 30.0, "other_region": 30.0, "wait": 25.0, "cancel": 15.0}, task.order, visit, "shortage")
    regions = ("north_america", "europe", "malaysia")
    answers: list[Form] = []
    if choice == "other_region":
        answers += [{"choice": "other_region", "stock_region": r, "note": "The customer accepts it."} for r in regions]
    if choice == "fewer" and example.get("choice") == "fewer":
        answers.append(example)
    if choice == "wait":
        answers.append({"choice": "wait", "note": "The customer waits."})
    return [*answers, {"choice": "cancel", "note": "The customer does not want to wait."}]


def _resolve_payment(dice: Dice, task: TaskView, visit: int, _example: Form) -> list[Form]:
    choice = "cancel" if visit > 2 else dice.weigh(
        {"again": 40.0, "other_method": 45.0, "cancel": 15.0}, task.order, visit, "payment")
    answers: list[Form] = []
    if choice == "other_method":
        answers.append({"choice": "other_method", "payment_method": "paypal", "payment_token": "tok_good",
                        "note": "Pays with PayPal instead."})
    if choice == "again":
        answers.append({"choice": "again", "note": "The customer asked us to try once more."})
    return [*answers, {"choice": "cancel", "note": "The customer does not answer."}]


def _handle_exception(dice: Dice, task: TaskView, visit: int, example: Form) -> list[Form]:
    choice = "refund" if visit > 2 else dice.weigh(
        {"ship_again": 45.0, "refund": 30.0, "part": 15.0, "keep_tracking": 10.0}, task.order, visit, "exception")
    answers: list[Form] = []
    if choice == "part" and example.get("items"):
        answers.append({"choice": "part", "items": [{**example["items"][0], "quantity": 1}],
                        "reason": "One piece is missing."})
    elif choice != "refund":
        answers.append({"choice": choice, "reason": "Agreed with the customer."})
    return [*answers, {"choice": "refund", "reason": "The customer wants the money back."}]


def _ask_for_proof(dice: Dice, task: TaskView, visit: int, example: Form) -> list[Form]:
    if visit == 1 and dice.chance(0.2, task.order, "not delivered"):
        return [{**example, "answer": "not_delivered", "note": "The courier cannot find a signature."}]
    return []


def _correct_details(dice: Dice, task: TaskView, visit: int, example: Form) -> list[Form]:
    reason = {"confirm_as_is": True, "reason": "The customer confirmed it by phone."}
    return [{**example, **reason}] if visit > 1 or dice.chance(0.5, task.order, "confirms") else []


_ANSWERS: Mapping[str, Callable[[Dice, TaskView, int, Form], list[Form]]] = {
    "resolve_shortage": _resolve_shortage,
    "resolve_payment": _resolve_payment,
    "handle_exception": _handle_exception,
    "ask_for_proof": _ask_for_proof,
    "correct_details": _correct_details,
}
