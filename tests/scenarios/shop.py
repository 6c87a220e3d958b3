"""The shop as scenarios speak of it: customers order, people do their tasks, couriers report, time passes.

Everything is real but the outside companies and the clock: the shipped diagram, the engine, the handlers, a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select

from app import Parts
from engine.views import Actor, EventView, InstanceView, TaskDetail, TaskView
from handlers.contract import Operation, Registry
from handlers.orders import next_order_number
from handlers.tables import Invoice, Mail, Order, Payment, Stock
from handlers.tables import Order as OrderRow

PEOPLE = {
    team: Actor(team, frozenset([team])) for team in ("sales", "warehouse", "finance", "shipping")
} | {
    name: Actor(name, frozenset([team]))
    for name, team in (
        ("stock-approver", "stock-approvers"), ("stock-approver-2", "stock-approvers"),
        ("payment-approver", "payment-approvers"), ("payment-approver-2", "payment-approvers"),
    )
}
SIGNERS = {
    "stock-approvers": ("stock-approver", "stock-approver-2"),
    "payment-approvers": ("payment-approver", "payment-approver-2"),
}
ORDER = {
    "name": "Greta Meier", "email": "greta@meier.example", "phone": "+49 30 901820",
    "street": "Unter den Linden 77", "city": "Berlin", "postal_code": "10117", "country": "DE",
    "items": [{"sku": "product-a", "quantity": 2}, {"sku": "product-c", "quantity": 1}],
    "payment_method": "credit_card", "shipping_method": "standard", "stock_region": "europe",
}
"""An order that meets no difficulty."""


class Shop:
    """One installation in a test."""

    def __init__(self, parts: Parts, clock: Any) -> None:
        self.parts, self.engine, self.clock = parts, parts.engine, clock
        self._messages = 0
        self._shipped: dict[str, Operation] = {}

    def places_order(self, by: Actor = PEOPLE["sales"], **changes: Any) -> OrderHandle:
        """A customer's order is taken down; it runs until somebody or something outside is waited for."""
        form = {**ORDER, **changes}
        with self.engine.transaction() as session:
            number = next_order_number(session)
            self.engine.start("order_fulfillment", number, by, submit=form, variables={"intake": {"source": "api"}},
                              session=session)
        self.works()
        return OrderHandle(self, number)

    def works(self) -> None:
        """The worker does everything that is due now."""
        self.engine.work(limit=500)

    def time_passes(self, **by: float) -> None:
        """Moves the clock and lets the worker do what fell due meanwhile."""
        self.clock.advance(**by)
        self.works()

    def stock(self, sku: str, region: str = "europe") -> tuple[int, int]:
        """On hand and reserved."""
        with self.engine.reading() as session:
            row = session.get_one(Stock, (sku, region))
            return row.on_hand, row.reserved

    def shelves(self) -> dict[tuple[str, str], tuple[int, int]]:
        """On hand and reserved of everything everywhere."""
        with self.engine.reading() as session:
            return {(row.sku, row.region): (row.on_hand, row.reserved) for row in session.scalars(select(Stock))}

    def replaces(self, name: str, function: Any) -> None:
        """Puts another function in the place of an operation; given None the shipped one works again."""
        operations = dict(self.parts.engine.registry)
        self._shipped.setdefault(name, operations[name])
        shipped = self._shipped[name]
        if function is None:
            operations[name] = shipped
        elif shipped.kind == "external":
            operations[name] = replace(shipped, external=function)
        else:
            operations[name] = replace(shipped, function=function)
        self.engine.registry = Registry(operations, self.engine.registry.ports)

    def shipped(self, name: str) -> Any:
        """What an operation does when nothing is put in its place."""
        operation = self._shipped.get(name) or self.engine.registry[name]
        return operation.external if operation.kind == "external" else operation.function

    def has(self, sku: str, on_hand: int, region: str = "europe") -> None:
        """Sets what a region has of a product."""
        with self.engine.transaction() as session:
            session.get_one(Stock, (sku, region)).on_hand = on_hand


class OrderHandle:
    """One order, in the words of the people who work on it."""

    def __init__(self, shop: Shop, number: str) -> None:
        self.shop, self.number, self.engine = shop, number, shop.engine

    # --- what people and the world do ------------------------------------------------------------------------------

    def does(self, element: str, by: Actor | None = None, **changes: Any) -> TaskView:
        """A person completes an open task with its valid example, changed where the test says so."""
        task = self.task(element)
        who = by or PEOPLE[task.team]
        form = dict(self.engine.task(task.id, who).form["examples"][0])
        form.update(changes)
        done = self.engine.complete(task.id, who, {k: v for k, v in form.items() if v is not None})
        self.shop.works()
        return done

    def answers(self, element: str, by: Actor | None = None, **form: Any) -> TaskView:
        """A person completes an open task with exactly this form."""
        task = self.task(element)
        done = self.engine.complete(task.id, by or PEOPLE[task.team], form)
        self.shop.works()
        return done

    def is_decided(self, element: str, decision: str = "approve", *, comment: str = "", step: int | None = None,
                   by: str | None = None) -> tuple[TaskView, int, int]:
        """One approver signs."""
        task = self.task(element)
        who = PEOPLE[by or SIGNERS[task.team][0]]
        detail = self.detail(element, who)
        assert detail.approval is not None
        signed = self.engine.decide(task.id, who, decision, comment=comment,  # type: ignore[arg-type]
                                    snapshot=detail.approval.snapshot, send_back_to=step)
        self.shop.works()
        return signed

    def is_approved(self, element: str) -> None:
        """As many approvers sign as the policy asks for."""
        for name in SIGNERS[self.task(element).team]:
            _, have, need = self.is_decided(element, by=name)
            if have >= need:
                return

    def hears(self, name: str, message_id: str | None = None, **payload: Any) -> bool:
        """A message comes from outside."""
        self.shop._messages += 1
        stored = self.engine.deliver(name, self.number, payload, source="test",
                                     message_id=message_id or f"m{self.shop._messages}")
        self.shop.works()
        return stored

    def courier_reports(self, status: str, **more: Any) -> bool:
        """The courier that carries the order reports."""
        booking = self.variables["booking"]["reference"]
        if status == "picked_up":
            return self.hears("courier.picked_up", booking=booking, at=self._time(), driver="Jo", **more)
        return self.hears("courier.reported", booking=booking, status=status, at=self._time(), place="Leipzig",
                          note="", **more)

    def _time(self) -> str:
        return str(self.shop.clock.now().isoformat().replace("+00:00", "Z"))

    def goes_to(self, element: str) -> OrderHandle:
        """Everybody gives the usual answer until the named element is open, or waited at."""
        for _ in range(60):
            if element in self.open_elements() or element in self.waits_at():
                return self
            self.usual()
        raise AssertionError(f"{self.number} never came to {element}; it is at {self.where()}")

    def goes_to_its_end(self) -> OrderHandle:
        for _ in range(60):
            if self.status in ("closed", "cancelled"):
                return self
            self.usual()
        raise AssertionError(f"{self.number} does not end; it is at {self.where()}")

    def usual(self) -> None:
        """The usual next thing: an open task is done, else what is waited for arrives."""
        open_tasks = [t for t in self.engine.order_tasks(self.number) if t.state == "open"]
        awaits = self.instance.awaits
        if open_tasks and open_tasks[0].kind == "approval":
            self.is_approved(open_tasks[0].element)
        elif open_tasks:
            self.does(open_tasks[0].element)
        elif "courier.reported" in awaits:
            self.courier_reports("delivered")
        elif "bank.transfer_received" in awaits:
            self.pays_by_transfer()
        else:
            raise AssertionError(f"{self.number} is stuck at {self.where()}")

    def pays_by_transfer(self, amount: int | None = None, reference: str = "BT-1") -> None:
        """The bank reports money from the customer."""
        due = self.variables["invoice"]["due"]
        self.hears("bank.transfer_received", amount=due if amount is None else amount,
                   currency=self.variables["invoice"]["currency"], reference=reference, payer="Greta Meier")

    def is_cancelled(self, reason: str = "The customer changed her mind.") -> OrderHandle:
        self.engine.cancel(self.number, PEOPLE["sales"], reason)
        self.shop.works()
        return self

    # --- where it stands -------------------------------------------------------------------------------------------

    @property
    def instance(self) -> InstanceView:
        return self.engine.instance(self.number)

    @property
    def status(self) -> str:
        return self.instance.status

    @property
    def variables(self) -> Mapping[str, Any]:
        return self.instance.variables

    def open_elements(self) -> list[str]:
        return [t.element for t in self.engine.order_tasks(self.number) if t.state == "open"]

    def waits_at(self) -> list[str]:
        """Elements where the order stands now."""
        return [e for view in self.engine.diagrams(self.number) for e, mark in view.marks.items() if mark == "here"]

    def where(self) -> str:
        dead = [f"{job.element}: {job.error}" for job in self.incidents()]
        return f"{self.status} {self.open_elements()} {self.instance.awaits} {dead}"

    def task(self, element: str) -> TaskView:
        for task in self.engine.order_tasks(self.number):
            if task.state == "open" and task.element == element:
                return task
        raise AssertionError(f"{element} is not open: {self.where()}")

    def detail(self, element: str, who: Actor) -> TaskDetail:
        return self.engine.task(self.task(element).id, who)

    def history(self) -> list[EventView]:
        return self.engine.history(self.number)

    def steps(self) -> list[int]:
        """The steps that were completed, in order. Step 13 also counts when the courier's message ends it."""
        return [e.step for e in self.history() if e.kind == "completed" and e.step is not None]

    def done(self) -> list[str]:
        """The elements that were completed, in order."""
        return [e.element for e in self.history() if e.kind == "completed" and e.element is not None]

    def incidents(self) -> list[Any]:
        return list(self.engine.jobs(state="dead", order=self.number).items)

    # --- money, mails ----------------------------------------------------------------------------------------------

    def money(self) -> dict[str, int]:
        """invoiced, credited, captured, refunded."""
        with self.engine.reading() as session:
            totals = dict(session.execute(
                select(Invoice.kind, func.sum(Invoice.total)).where(Invoice.order_number == self.number)
                .group_by(Invoice.kind)
            ).tuples().all())
            moved = dict(session.execute(
                select(Payment.kind, func.sum(Payment.amount))
                .where(Payment.order_number == self.number, Payment.state == "done").group_by(Payment.kind)
            ).tuples().all())
        return {"invoiced": totals.get("invoice", 0), "credited": totals.get("credit_note", 0),
                "captured": moved.get("capture", 0), "refunded": moved.get("refund", 0)}

    def mails(self) -> list[str]:
        with self.engine.reading() as session:
            return list(session.scalars(select(Mail.kind).where(Mail.order_number == self.number).order_by(Mail.id)))

    def row(self) -> OrderRow:
        with self.engine.reading() as session:
            return session.get_one(Order, self.number)
