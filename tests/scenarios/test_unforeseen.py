"""Failures that nobody foresaw: an incident on that order, the input kept, every other order unharmed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from engine.errors import Conflict
from engine.views import Actor
from handlers.contract import Call, External, GiveUp, Refused, TryAgain
from handlers.couriers.operations import RETRY
from handlers.tables import Order, Stock
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop

OWNER = Actor("owner", frozenset({"owner"}), sees_all=True)


def broken(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("nobody thought of this\x00")


def retry(shop: Shop, order: OrderHandle) -> None:
    """The owner tries the order's incident again."""
    [incident] = order.incidents()
    shop.engine.retry(incident.id, OWNER)
    shop.works()


# --- transactional operations


@pytest.mark.parametrize(("operation", "element"), [
    ("customer.verify", "verify_customer"), ("inventory.check", "check_availability"),
    ("inventory.reserve", "reserve_inventory"),
])
def test_a_step_that_fails_stops_its_own_order_only(shop: Shop, operation: str, element: str) -> None:
    """What was submitted is kept, the step is an incident, another order passes, and a retry goes on."""
    shop.replaces(operation, broken)
    order = shop.places_order()

    [incident] = order.incidents()
    assert (incident.element, incident.kind) == (element, "step")
    assert incident.error == "ZeroDivisionError: nobody thought of this"
    assert order.variables["receive_order"]["name"] == "Greta Meier"
    assert order.open_elements() == []
    assert order.status == "open"
    assert element in [e for view in shop.engine.diagrams(order.number) for e, m in view.marks.items()
                       if m == "failed"]

    shop.replaces(operation, None)
    other = shop.places_order()
    assert other.open_elements() == ["approve_reservation"]
    assert order.open_elements() == []

    retry(shop, order)
    assert order.open_elements() == ["approve_reservation"]
    assert order.incidents() == []
    order.goes_to_its_end()
    assert order.status == "closed"
    assert shop.engine.verify_audit() == []


def test_a_step_that_fails_after_it_wrote_leaves_nothing_behind(shop: Shop) -> None:
    """What a failing operation wrote is taken back with it; what the command did before stays."""
    def half(call: Call, region: str) -> Any:
        call.session.get_one(Stock, ("product-a", region)).reserved = 99
        call.session.flush()
        call.later("document.render", name="packing-slip", number=call.order)
        return broken()

    shop.replaces("inventory.reserve", half)
    order = shop.places_order()

    assert shop.stock("product-a") == (380, 0)
    assert "document.render" not in [job.operation for job in shop.engine.jobs(order=order.number).items]
    assert order.variables["availability"]["ok"]


def test_a_result_that_cannot_be_kept_leaves_nothing_behind(shop: Shop) -> None:
    """An operation that answers with something that is no plain value is taken back whole."""
    def odd(call: Call, region: str) -> Any:
        shop.shipped("inventory.reserve")(call, region)
        return {"held": object()}

    shop.replaces("inventory.reserve", odd)
    order = shop.places_order()

    assert order.incidents()[0].element == "reserve_inventory"
    assert shop.stock("product-a") == (380, 0)
    shop.replaces("inventory.reserve", None)
    retry(shop, order)
    assert shop.stock("product-a") == (380, 2)


def test_a_retry_that_fails_again_is_the_same_incident(shop: Shop) -> None:
    """One incident, not two, with the newest error; green means it really passed."""
    shop.replaces("inventory.check", broken)
    order = shop.places_order()
    [first] = order.incidents()

    def other(*_: Any, **__: Any) -> Any:
        raise KeyError("something else")

    shop.replaces("inventory.check", other)
    retry(shop, order)

    [again] = order.incidents()
    assert again.id == first.id
    assert "something else" in again.error
    shop.replaces("inventory.check", None)
    retry(shop, order)
    assert order.open_elements() == ["approve_reservation"]


def test_what_is_no_incident_any_more_cannot_be_retried(shop: Shop) -> None:
    """Two people press “retry”: the second is told."""
    shop.replaces("inventory.check", broken)
    order = shop.places_order()
    [incident] = order.incidents()
    shop.engine.retry(incident.id, OWNER)

    with pytest.raises(Conflict):
        shop.engine.retry(incident.id, OWNER)


def test_a_refusal_that_no_event_catches_is_an_incident(shop: Shop) -> None:
    """A code that the diagram does not know stops the order visibly; asked again it is asked anew."""
    keys = []

    def refuses(call: Call, region: str) -> Any:
        keys.append(call.key)
        raise Refused("never_heard_of", "We do not like Tuesdays.")

    shop.replaces("inventory.check", refuses)
    order = shop.places_order()
    [incident] = order.incidents()
    assert "We do not like Tuesdays." in incident.error
    assert "never_heard_of" in incident.error

    retry(shop, order)
    shop.replaces("inventory.check", None)
    retry(shop, order)

    assert len(set(keys)) == 2
    assert order.open_elements() == ["approve_reservation"]


def test_an_order_with_an_incident_can_be_cancelled(shop: Shop) -> None:
    """The incident goes with the step that it stopped."""
    shop.replaces("inventory.reserve", broken)
    order = shop.places_order()

    order.is_cancelled()

    assert order.status == "cancelled"
    assert order.incidents() == []


# --- forms


def test_a_form_that_cannot_be_taken_is_kept(shop: Shop) -> None:
    """The person's input stays as the task's draft, the task stays open, a retry takes it as it was given."""
    order = shop.places_order().goes_to("prepare_shipment")
    task = order.task("prepare_shipment")
    shop.replaces("shipping.prepare", broken)

    order.does("prepare_shipment", city="Potsdam")

    [incident] = order.incidents()
    assert (incident.kind, incident.element) == ("form", "prepare_shipment")
    detail = order.detail("prepare_shipment", PEOPLE["warehouse"])
    assert detail.task.id == task.id
    assert detail.draft["city"] == "Potsdam"
    assert detail.incident == "ZeroDivisionError: nobody thought of this"
    assert detail.task.assignee == "warehouse"

    shop.replaces("shipping.prepare", None)
    retry(shop, order)
    assert order.open_elements() == ["package_products"]
    assert order.row().city == "Potsdam"
    done = shop.engine.task(task.id, PEOPLE["warehouse"])
    assert (done.task.completed_by, done.data["city"], done.draft) == ("warehouse", "Potsdam", None)


def test_a_form_is_submitted_again_instead(shop: Shop) -> None:
    """Who submits again needs no retry: the incident is gone with the task."""
    order = shop.places_order().goes_to("prepare_shipment")
    shop.replaces("shipping.prepare", broken)
    order.does("prepare_shipment")
    order.does("prepare_shipment", city="Potsdam")
    assert len(order.incidents()) == 1

    shop.replaces("shipping.prepare", None)
    order.does("prepare_shipment")

    assert order.incidents() == []
    assert order.open_elements() == ["package_products"]


def test_a_form_whose_pick_lists_cannot_be_read_is_kept_too(shop: Shop) -> None:
    """Whatever fails while a form is taken, the input survives."""
    order = shop.places_order().goes_to("prepare_shipment")
    form = order.detail("prepare_shipment", PEOPLE["warehouse"]).form["examples"][0]
    shop.replaces("shipping.prepare_form", broken)

    order.answers("prepare_shipment", **form)

    assert order.incidents()[0].kind == "form"
    shop.replaces("shipping.prepare_form", None)
    assert order.detail("prepare_shipment", PEOPLE["warehouse"]).draft == form


def test_a_form_that_leads_into_a_broken_decision_is_kept(shop: Shop) -> None:
    """A table or condition of the diagram that cannot be evaluated is not the fault of who filled in the form."""
    order = shop.places_order(phone="12")
    reserve = shop.shipped("inventory.reserve")
    lacking = "ordered_together"
    shop.replaces("inventory.reserve", lambda call, region: {
        name: value for name, value in reserve(call, region).items() if name != lacking
    })

    order.does("correct_details")

    [incident] = order.incidents()
    assert (incident.kind, incident.element) == ("form", "correct_details")
    assert "reservation.ordered_together" in incident.error
    assert shop.stock("product-a") == (380, 0), "the command was taken back whole"
    shop.replaces("inventory.reserve", None)
    retry(shop, order)
    assert order.open_elements() == ["approve_reservation"]


def test_a_decision_that_cannot_be_taken_is_kept(shop: Shop) -> None:
    """The gate stays open, the decision is an incident with its comment, and a retry takes it under the same name."""
    gate = "approve_reservation"
    order = shop.places_order(payment_method="bank_transfer")
    shop.replaces("invoice.generate", lambda call: {})

    task, have, _ = order.is_decided(gate, comment="Looks right.")
    again, _, _ = order.is_decided(gate, comment="Still right.")

    assert (task.state, again.state, have) == ("open", "open", 0)
    [incident] = order.incidents()
    assert (incident.kind, incident.element) == ("decision", gate)
    assert "invoice.due" in incident.error
    shop.replaces("invoice.generate", None)
    retry(shop, order)
    assert order.variables[gate]["comment"] == "Still right."
    assert order.variables[gate]["signed_by"] == ["stock-approver"]
    assert order.waits_at() == ["wait_for_transfer"]
    assert order.incidents() == []


def test_a_kept_decision_that_was_given_anew_leaves_no_incident(shop: Shop) -> None:
    """Who signs again instead of waiting for the retry has signed: the retry of the kept decision passes."""
    gate, approver = "approve_reservation", PEOPLE["stock-approver"]
    order = shop.places_order(items=[{"sku": "product-b", "quantity": 60}])
    task, snapshot = order.task(gate), order.detail(gate, approver).approval.snapshot
    shop.replaces("inventory.submission", broken)
    shop.engine.decide(task.id, approver, "approve", comment="", snapshot=snapshot)
    shop.replaces("inventory.submission", None)

    _, have, need = shop.engine.decide(task.id, approver, "approve", comment="", snapshot=snapshot)
    assert (have, need) == (1, 2)
    retry(shop, order)

    assert order.incidents() == []
    assert [s.actor for s in order.detail(gate, approver).approval.signatures] == ["stock-approver"]
    order.is_decided(gate, by="stock-approver-2")
    assert order.open_elements() != [gate]


# --- external operations


class Faulty(External):
    """A shipped external operation, of which one part fails. Its retry policy is the shipped one."""

    def __init__(self, shipped: Any, part: str, error: Exception) -> None:
        self.shipped, self.part, self.error = shipped, part, error
        self.retry = shipped.retry
        self.performed = 0
        self.keys: list[str] = []
        self.perform = self._perform  # type: ignore[method-assign]

    def _fails(self, part: str) -> None:
        if self.part == part:
            raise self.error

    def prepare(self, call: Call, **parameters: Any) -> Any:  # type: ignore[override]
        self._fails("prepare")
        return self.shipped.prepare(call, **parameters)

    def perform(self, arguments: Any, key: str) -> Any:
        raise NotImplementedError

    def _perform(self, arguments: Any, key: str) -> Any:
        self.performed += 1
        self.keys.append(key)
        result = self.shipped.perform(arguments, key)
        self._fails("perform")
        return result

    def record(self, call: Call, arguments: Any, result: Any) -> Mapping[str, Any] | None:
        self._fails("record")
        recorded: Mapping[str, Any] | None = self.shipped.record(call, arguments, result)
        return recorded

    def refused(self, call: Call, arguments: Any, refusal: Refused) -> None:
        self.shipped.refused(call, arguments, refusal)

    def by_hand(self, call: Call, arguments: Any, reason: str, given: Mapping[str, Any]) -> Mapping[str, Any] | None:
        outcome: Mapping[str, Any] | None = self.shipped.by_hand(call, arguments, reason, given)
        return outcome


def faulty(shop: Shop, operation: str, part: str, error: Exception) -> Faulty:
    shipped = shop.shipped(operation)
    made = type("Faulty_", (Faulty,), {})(shipped, part, error)
    type(made).perform = _typed(type(shipped).perform)
    shop.replaces(operation, made)
    return made  # type: ignore[no-any-return]


def _typed(perform: Any) -> Any:
    """A stand-in that has the shipped operation's type hints, which the engine reads."""
    import typing

    def stand_in(self: Any, arguments: Any, key: str) -> Any: ...

    stand_in.__annotations__ = typing.get_type_hints(perform)
    first = next(name for name in typing.get_type_hints(perform) if name not in ("key", "return"))
    stand_in.__annotations__["arguments"] = stand_in.__annotations__.pop(first)
    return stand_in


def test_a_preparation_that_fails_is_an_incident_of_its_step(shop: Shop) -> None:
    """Nothing was asked outside; a retry prepares again."""
    fault = faulty(shop, "payment.capture", "prepare", ZeroDivisionError("oops"))
    order = shop.places_order().goes_to("approve_reservation")
    order.is_approved("approve_reservation")

    assert (order.incidents()[0].kind, order.incidents()[0].element) == ("step", "capture_payment")
    fault.part = ""
    retry(shop, order)

    assert order.open_elements() == ["approve_payment"]
    assert fault.performed == 1


def test_a_call_that_fails_three_times_is_an_incident(shop: Shop) -> None:
    """Unforeseen failures are tried three times; a retry asks with the same key and charges once."""
    fault = faulty(shop, "payment.capture", "perform", ZeroDivisionError("oops"))
    order = shop.places_order()
    order.is_approved("approve_reservation")
    for _ in range(4):
        shop.time_passes(minutes=1)
    assert fault.performed == 3
    [incident] = order.incidents()
    assert (incident.kind, incident.operation, incident.attempts) == ("operation", "payment.capture", 3)
    assert incident.error == "ZeroDivisionError: oops"

    fault.part = ""
    retry(shop, order)

    assert order.open_elements() == ["approve_payment"]
    assert len(set(fault.keys)) == 1
    assert shop.parts.ports.payments.balances() == {order.number: order.money()["invoiced"]}


def test_an_outside_company_that_does_not_answer_is_asked_longer(shop: Shop) -> None:
    """A passing failure has more attempts; after the last one it is an incident, retried with the same key."""
    fault = faulty(shop, "courier.book", "perform", TryAgain("503"))
    order = shop.places_order().goes_to("package_products")
    order.does("package_products")
    for _ in range(16):
        shop.time_passes(minutes=19)
    assert fault.performed == RETRY.attempts
    [incident] = order.incidents()
    assert incident.error == "503"

    fault.part = ""
    retry(shop, order)

    assert len(set(fault.keys)) == 1
    assert len(shop.parts.ports.couriers["courier_c"].bookings(order.number)) == 1
    assert order.open_elements() == ["confirm_pickup"]


def test_what_trying_again_cannot_mend_is_an_incident_at_once(shop: Shop) -> None:
    """A wrong password stays wrong: people hear of it after the first attempt, and a retry asks with the same key."""
    fault = faulty(shop, "payment.capture", "perform", GiveUp("The provider does not know our account."))
    order = shop.places_order()
    order.is_approved("approve_reservation")

    [incident] = order.incidents()
    assert (incident.error, incident.attempts) == ("The provider does not know our account.", 1)
    fault.part = ""
    retry(shop, order)
    assert order.open_elements() == ["approve_payment"]


def test_a_provider_that_asks_to_be_left_alone_is_left_alone(shop: Shop) -> None:
    """Retry-After counts when it is longer than we would have waited."""
    fault = faulty(shop, "payment.capture", "perform", TryAgain("Come back later.", after=timedelta(hours=2)))
    order = shop.places_order()
    order.is_approved("approve_reservation")

    shop.time_passes(hours=1, minutes=59)
    assert fault.performed == 1
    shop.time_passes(minutes=1)

    assert fault.performed == 2


def test_what_was_performed_is_never_performed_again(shop: Shop) -> None:
    """When writing the result down fails, only that is repeated, also after a retry by hand."""
    fault = faulty(shop, "payment.capture", "record", ZeroDivisionError("oops"))
    order = shop.places_order()
    order.is_approved("approve_reservation")
    for _ in range(4):
        shop.time_passes(minutes=1)
    assert fault.performed == 1
    assert order.incidents()[0].error == "ZeroDivisionError: oops"
    assert order.money()["captured"] == 0

    fault.part = ""
    retry(shop, order)

    assert fault.performed == 1
    assert order.money()["captured"] == order.money()["invoiced"]
    assert order.open_elements() == ["approve_payment"]


def test_a_refused_call_that_no_event_catches_is_asked_anew(shop: Shop) -> None:
    """A definite no with an unknown code is an incident of the step; a retry is a new visit with a new key."""
    fault = faulty(shop, "courier.book", "perform", Refused("strike", "The drivers are on strike."))
    order = shop.places_order().goes_to("package_products")
    order.does("package_products")
    assert "The drivers are on strike." in order.incidents()[0].error

    fault.part = ""
    retry(shop, order)

    assert len(set(fault.keys)) == 2
    assert order.open_elements() == ["confirm_pickup"]


def test_a_mail_that_cannot_be_sent_does_not_stop_the_order(shop: Shop) -> None:
    """Work beside the token is an incident of its own, and the order goes on to its end."""
    order = shop.places_order(items=[{"sku": "product-e", "quantity": 1}])
    fault = faulty(shop, "mail.send", "perform", ZeroDivisionError("oops"))
    order.goes_to("approve_payment")
    for _ in range(3):
        shop.time_passes(minutes=1)
    assert [i.operation for i in order.incidents()] == ["mail.send"]

    order.goes_to("prepare_shipment")
    fault.part = ""
    retry(shop, order)

    assert order.incidents() == []


# --- messages


def test_a_message_that_cannot_be_taken_is_stored_and_an_incident(shop: Shop) -> None:
    """Who sent it has done its part: it is kept, the failure is visible, and a retry takes it."""
    order = shop.places_order().goes_to("confirm_pickup")
    booking = order.variables["booking"]["reference"]
    order.courier_reports("picked_up")
    shop.time_passes(days=4)
    shop.replaces("shipping.track", lambda call, report: {})

    assert order.hears("courier.reported", "r1", booking=booking, status="delivered")
    [incident] = order.incidents()
    assert incident.kind == "message"
    assert order.instance.awaits == ("courier.reported",)
    assert not order.hears("courier.reported", "r1", booking=booking, status="delivered")

    shop.replaces("shipping.track", None)
    retry(shop, order)

    assert order.open_elements() == ["prepare_next"]
    assert order.incidents() == []


def test_an_order_that_does_not_exist_takes_no_message(shop: Shop) -> None:
    """A message for nobody is stored and harms nobody."""
    assert shop.engine.deliver("courier.picked_up", "WB-0", {"booking": "x"}, source="c", message_id="1")
    with shop.engine.reading() as session:
        assert session.query(Order).count() == 0
