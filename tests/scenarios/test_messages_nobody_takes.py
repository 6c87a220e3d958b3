"""Messages that no order takes: kept, listed for a person with why, set aside with a reason, never lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, text

from demo.tally import broken
from engine import Bundle
from engine.codec import pack
from engine.errors import Conflict, InvalidForm, NotFound
from engine.store.tables import Message
from engine.views import SYSTEM, Actor, MessageView
from handlers.orders import next_order_number
from tests.scenarios.shop import ORDER, PEOPLE, OrderHandle, Shop

OWNER = Actor("owner", frozenset({"owner"}), sees_all=True)
DIAGRAM = b"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" id="d" targetNamespace="urn:test">
  <message id="message_bell" name="door.bell"/>
  <process id="doorman" name="Doorman" isExecutable="true">
    <startEvent id="began"><outgoing>f1</outgoing></startEvent>
    <receiveTask id="listen" name="Listen" messageRef="message_bell">
      <incoming>f1</incoming><outgoing>f2</outgoing></receiveTask>
    <endEvent id="opened"><incoming>f2</incoming></endEvent>
    <sequenceFlow id="f1" sourceRef="began" targetRef="listen"/>
    <sequenceFlow id="f2" sourceRef="listen" targetRef="opened"/>
  </process>
</definitions>"""


def only(shop: Shop, **asked: Any) -> MessageView:
    [message] = shop.engine.messages(**asked).items
    return message


def waits_for_pickup(shop: Shop) -> OrderHandle:
    return shop.places_order().goes_to("confirm_pickup")


@pytest.fixture
def complaints(shop: Shop) -> Iterator[list[str]]:
    """What the database refused while the test ran."""
    found: list[str] = []

    def note(context: Any) -> None:
        found.append(str(context.original_exception))

    event.listen(shop.parts.database.engine, "handle_error", note)
    yield found
    event.remove(shop.parts.database.engine, "handle_error", note)


# --- why nobody takes it


def test_a_message_that_comes_too_early_waits(shop: Shop) -> None:
    """It may still be asked for, so nobody has to look at it."""
    order = shop.places_order(payment_method="bank_transfer")
    order.hears("bank.transfer_received", "t1", amount=1, currency="USD", reference="T")

    message = only(shop, state="waiting")
    assert (message.message_id, message.why, message.since) == ("t1", "early", shop.clock.now())
    assert shop.engine.messages(state="unmatched").items == ()

    order.goes_to("wait_for_transfer")
    assert only(shop).taken_by == "wait_for_transfer"


def test_a_message_may_come_before_its_order(shop: Shop) -> None:
    """Until then it is listed as one without an order; then it is taken like any other."""
    with shop.engine.transaction() as session:
        number = next_order_number(session)
    shop.engine.deliver("bank.transfer_received", number, {"amount": 1, "currency": "USD", "reference": "T"},
                        source="bank", message_id="t1")

    message = only(shop, state="unmatched")
    assert (message.why, message.order, message.order_status) == ("no_order", number, None)

    shop.engine.start("order_fulfillment", number, PEOPLE["sales"], submit={**ORDER, "payment_method": "bank_transfer"},
                      variables={"intake": {"source": "api"}})
    shop.works()
    OrderHandle(shop, number).goes_to("wait_for_transfer")
    assert only(shop).state == "taken"


def test_a_message_about_an_order_that_has_ended_is_listed(shop: Shop) -> None:
    """Since when: since the order ended, or since it came."""
    order = shop.places_order().goes_to_its_end()
    ended = order.instance.ended_at
    shop.clock.advance(hours=1)
    before = order.history()

    order.hears("courier.reported", "late", booking="x", status="lost")

    message = only(shop, state="unmatched")
    assert (message.why, message.order_status, message.since) == ("ended", "closed", shop.clock.now())
    assert shop.clock.now() != ended
    assert order.history() == before


def test_a_message_that_does_not_fit_is_not_taken(shop: Shop) -> None:
    """A pickup of another booking confirms nothing, although the order waits for a pickup."""
    order = waits_for_pickup(shop)
    order.hears("courier.picked_up", "other", booking="another")

    message = only(shop, state="unmatched")
    assert (message.why, message.message_id) == ("not_accepted", "other")
    assert order.open_elements() == ["confirm_pickup"]

    order.courier_reports("picked_up")
    assert only(shop, state="unmatched").why == "passed", "the order has its pickup and asks for no other"


def test_a_second_transfer_is_money_that_somebody_must_see(shop: Shop) -> None:
    """The order took one and asks for no other."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    order.pays_by_transfer(reference="BT-1")
    order.pays_by_transfer(reference="BT-2")

    message = only(shop, state="unmatched")
    assert (message.why, message.payload["reference"]) == ("passed", "BT-2")


def test_a_message_whose_taking_failed_points_to_its_incident(shop: Shop) -> None:
    """It is stored; a second one that fails likewise is stored as well, and a retry takes both."""
    order = waits_for_pickup(shop)
    booking = order.variables["booking"]["reference"]
    order.courier_reports("picked_up")
    shop.time_passes(days=4)


    shop.replaces("shipping.track", lambda call, report: {})
    assert order.hears("courier.reported", "r1", booking=booking, status="on_the_way")
    assert order.hears("courier.reported", "r2", booking=booking, status="delayed")
    assert {(m.message_id, m.why) for m in shop.engine.messages(state="unmatched").items} == {
        ("r1", "failed"), ("r2", "failed")}

    shop.replaces("shipping.track", None)
    for incident in order.incidents():
        shop.engine.retry(incident.id, OWNER)
    shop.works()
    assert shop.engine.messages(state="unmatched").items == ()
    assert order.incidents() == []


def test_messages_come_page_by_page(shop: Shop) -> None:
    """Newest first, by key: what comes meanwhile shifts nothing."""
    for number in range(5):
        shop.engine.deliver("stock.arrived", "WB-0", {}, source="c", message_id=f"m{number}")

    first = shop.engine.messages(state="unmatched", limit=2)
    shop.engine.deliver("stock.arrived", "WB-0", {}, source="c", message_id="m5")
    assert first.next is not None
    second = shop.engine.messages(state="unmatched", limit=2, before=int(first.next))
    assert second.next is not None
    last = shop.engine.messages(state="unmatched", limit=2, before=int(second.next))

    assert [m.message_id for page in (first, second, last) for m in page.items] == ["m4", "m3", "m2", "m1", "m0"]
    assert last.next is None


# --- setting aside


def test_a_message_that_is_set_aside_is_never_taken(shop: Shop) -> None:
    """Who, when and why are kept, also in the order's history; put back, it is taken as if it had just come."""
    order = shop.places_order(payment_method="bank_transfer")
    order.hears("bank.transfer_received", "t1", amount=1, currency="USD", reference="T")
    message = only(shop)

    aside = shop.engine.set_aside(message.id, OWNER, "  Paid back by hand. ")
    assert (aside.state, aside.why) == ("set_aside", None)
    assert aside.set_aside is not None
    assert (aside.set_aside.by, aside.set_aside.at, aside.set_aside.reason) == (
        "owner", shop.clock.now(), "Paid back by hand.")
    order.goes_to("wait_for_transfer")
    shop.time_passes(hours=1)
    assert only(shop, state="set_aside").taken_at is None
    assert shop.engine.messages(state="unmatched").items == ()

    back = shop.engine.put_back(message.id, OWNER)
    assert (back.state, back.taken_by, back.set_aside) == ("taken", "wait_for_transfer", None)
    told = [(e.kind, e.actor, e.detail.get("reason")) for e in order.history() if e.kind in ("set_aside", "put_back")]
    assert told == [("set_aside", "owner", "Paid back by hand."), ("put_back", "owner", None)]
    assert shop.engine.verify_audit() == []


def test_a_message_without_an_order_can_be_set_aside(shop: Shop) -> None:
    """There is no history to tell it; the message does."""
    shop.engine.deliver("courier.reported", "WB-0", {"status": "lost"}, source="c", message_id="m")
    message = only(shop)

    shop.engine.set_aside(message.id, OWNER, "Another shop's order.")

    assert only(shop, state="set_aside").set_aside is not None
    assert shop.engine.put_back(message.id, OWNER).why == "no_order"


def test_setting_aside_is_refused_where_it_means_nothing(shop: Shop) -> None:
    """Without a reason, twice, when the order was faster, and when there is no such message."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    order.pays_by_transfer()
    taken = only(shop)
    order.hears("stock.arrived", "s1")
    kept = only(shop, state="waiting")

    for reason in ("", "   ", "x" * 1001):
        with pytest.raises(InvalidForm):
            shop.engine.set_aside(kept.id, OWNER, reason)
    with pytest.raises(Conflict, match="has taken"):
        shop.engine.set_aside(taken.id, OWNER, "Why not?")
    with pytest.raises(Conflict, match="not set aside"):
        shop.engine.put_back(kept.id, OWNER)
    shop.engine.set_aside(kept.id, OWNER, "Known.")
    with pytest.raises(Conflict, match="owner has set"):
        shop.engine.set_aside(kept.id, OWNER, "Known.")
    with pytest.raises(NotFound):
        shop.engine.set_aside(10**9, OWNER, "Known.")


def test_putting_back_what_cannot_be_taken_makes_an_incident(shop: Shop) -> None:
    """As when it is delivered: it is put back all the same, and the failure is seen."""
    order = waits_for_pickup(shop)
    booking = order.variables["booking"]["reference"]
    order.hears("courier.reported", "r1", booking=booking, status="on_the_way")
    message = only(shop)
    shop.engine.set_aside(message.id, OWNER, "Not yet.")
    order.courier_reports("picked_up")
    shop.replaces("shipping.track", lambda call, report: {})

    back = shop.engine.put_back(message.id, OWNER)

    assert (back.state, back.why) == ("unmatched", "failed")
    assert [job.kind for job in order.incidents()] == ["message"]


def test_the_tally_finds_a_message_that_was_overlooked(shop: Shop) -> None:
    """Leftovers of ended orders are allowed; one that an open order waits for and would take is not."""
    ended = shop.places_order().goes_to_its_end()
    ended.hears("courier.reported", "late", status="lost")
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    other = waits_for_pickup(shop)
    other.hears("courier.picked_up", "misfit", booking="another")
    assert [line for line in broken(shop.engine, shop.parts.ports) if line.startswith("messages")] == []

    with shop.engine.transaction() as session:
        paid = pack({"amount": 1, "currency": "EUR", "reference": "T"})
        session.add(Message(source="bank", message_id="t", name="bank.transfer_received", correlation=order.number,
                            payload=paid, received_at=shop.clock.now()))

    assert [line for line in broken(shop.engine, shop.parts.ports) if line.startswith("messages")] == [
        f"messages: {order.number} waits for bank.transfer_received and has not taken t of bank"]


# --- at the same moment


def test_the_same_message_at_the_same_moment_counts_once(shop: Shop, complaints: list[str]) -> None:
    """One delivery is taken, seven are told that it came before, and the database refuses nothing."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    due, together = order.variables["invoice"]["due"], threading.Barrier(8)

    def deliver(_: int) -> bool:
        together.wait()
        return shop.engine.deliver(
            "bank.transfer_received", order.number, {"amount": due, "currency": "EUR", "reference": "B"},
            source="bank", message_id="t1")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(deliver, range(8)))

    assert sorted(answers) == [False] * 7 + [True]
    assert only(shop).taken_by == "wait_for_transfer"
    assert len([e for e in order.history() if e.kind == "message"]) == 1
    assert complaints == []


def test_a_message_that_another_process_is_storing_is_waited_for(shop: Shop, complaints: list[str]) -> None:
    """Neither of the two fails: the second does nothing once the first is committed."""
    if shop.parts.database.is_sqlite:
        pytest.skip("one command at a time")
    with ThreadPoolExecutor(1) as pool:
        with shop.engine.transaction() as session:
            assert shop.engine.deliver("stock.arrived", "WB-0", {}, source="c", message_id="1", session=session)
            second = pool.submit(shop.engine.deliver, "stock.arrived", "WB-0", {}, source="c", message_id="1")
            blocked(shop, "INSERT INTO message")
        assert second.result() is False

    assert len(shop.engine.messages().items) == 1
    assert complaints == []


def test_a_repeated_message_writes_nothing(shop: Shop) -> None:
    """However often a sender repeats itself: one look, no lock."""
    order = shop.places_order()
    order.hears("stock.arrived", "s1")
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    event.listen(shop.parts.database.engine, "before_cursor_execute", note)
    try:
        for _ in range(5):
            assert not shop.engine.deliver("stock.arrived", order.number, {}, source="test", message_id="s1")
    finally:
        event.remove(shop.parts.database.engine, "before_cursor_execute", note)

    assert set(statements) <= {"SELECT", "BEGIN"}
    assert statements.count("SELECT") == 5


def test_a_message_that_comes_while_its_order_starts_is_taken(shop: Shop) -> None:
    """The start is not committed yet, so neither sees the other; both wait for one another."""
    shop.engine.deploy(Bundle({"processes/doorman.bpmn": DIAGRAM}), SYSTEM)
    if shop.parts.database.is_sqlite:
        shop.engine.start("doorman", "D-1", SYSTEM)
        shop.engine.deliver("door.bell", "D-1", {}, source="c", message_id="1")
    else:
        with ThreadPoolExecutor(1) as pool:
            with shop.engine.transaction() as session:
                shop.engine.start("doorman", "D-1", SYSTEM, session=session)
                bell = pool.submit(shop.engine.deliver, "door.bell", "D-1", {}, source="c", message_id="1")
                blocked(shop, "pg_advisory_xact_lock")
            assert bell.result() is True

    assert shop.engine.instance("D-1").status == "closed"
    assert shop.engine.overlooked() == []


def blocked(shop: Shop, statement: str) -> None:
    """Returns when another connection waits for a lock with such a statement."""
    waiting = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like :statement "
                   "and datname = current_database()")
    watching = shop.parts.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with watching.connect() as connection:
        for _ in range(20_000):
            if connection.execute(waiting, {"statement": f"%{statement}%"}).scalar_one():
                return
    raise AssertionError(f"nobody waits with {statement}")
