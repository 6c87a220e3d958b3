"""Seals: once a day all histories are sealed, so that one that is gone, or was cut or written anew, is missed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from engine import journal
from engine.audit import stored_events
from engine.codec import pack
from engine.housekeeping import Housekeeping
from engine.offline_verifier import GENESIS, event_hash
from engine.seals import stored_seals
from engine.store.tables import Event, Instance, Sealed
from tests.scenarios.shop import OrderHandle, Shop


@pytest.fixture
def order(shop: Shop) -> OrderHandle:
    """An order with some history, beside another one."""
    shop.places_order()
    return shop.places_order()


def sql(shop: Shop, *statements: str, **values: Any) -> None:
    """As somebody does it who does not mind what refers to what."""
    with shop.parts.database.engine.connect() as connection:
        connection.rollback()
        if shop.parts.database.is_sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        else:
            connection.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})
        connection.commit()
        connection.invalidate()


def heads(shop: Shop) -> list[list[list[Any]]]:
    """What each seal holds."""
    with shop.engine.reading() as session:
        found = [seal["heads"] for seal in stored_seals(session)]
    assert all(each[-1][0] == "journal" for each in found), "every seal holds the head of the journal"
    return [each[:-1] for each in found]


def test_a_seal_shows_that_the_end_of_the_journal_was_cut_off(shop: Shop) -> None:
    """No other row says where the journal ends; a changed line is seen without a seal."""
    shop.engine.seal()
    assert shop.engine.verify_audit() == []
    with shop.engine.transaction() as session:
        last = session.execute(text("SELECT max(seq) FROM journal")).scalar_one()
        session.execute(text("DELETE FROM journal WHERE seq = :seq"), {"seq": last})
        session.execute(text("UPDATE journal SET actor = 'nobody' WHERE seq = 2"))

    found = shop.engine.verify_audit()

    assert any(f"journal: event {last}: is missing" in fault for fault in found)
    assert any("journal: event 2: its content does not match its hash" in fault for fault in found)


def test_a_long_journal_is_read_a_page_at_a_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, and then with a changed line on a later page; verifying and exporting hold a page in memory."""
    pages: list[int] = []
    read = journal._page
    monkeypatch.setattr(journal, "PAGE", 2)
    monkeypatch.setattr(journal, "_page", lambda session, seqs: pages.append(len(seqs)) or read(session, seqs))
    with shop.engine.transaction() as session:
        for number in range(5):
            shop.engine.note_in_journal(session, "ann", "noted", f"line {number}")

    assert shop.engine.verify_audit() == []
    last = shop.engine.journal().items[0].seq
    assert (sum(pages), max(pages)) == (last, 2)
    lines = list(shop.engine.export_audit())
    assert sum(b'"process":"journal"' in line for line in lines) == last

    sql(shop, f"UPDATE journal SET subject = 'other' WHERE seq = {last - 1}")
    [fault] = shop.engine.verify_audit()
    assert fault == f"journal: event {last - 1}: its content does not match its hash; the row was changed."


def test_a_seal_holds_what_changed_since_the_seal_before(shop: Shop, order: OrderHandle) -> None:
    """All orders at first, then those that moved, then none; each seal follows the one before."""
    first = shop.engine.seal()
    order.goes_to("prepare_shipment")
    second = shop.engine.seal()
    third = shop.engine.seal()

    assert [len(each) for each in heads(shop)] == [2, 1, 0]
    with shop.engine.reading() as session:
        row = session.get_one(Instance, order.instance.id)
        assert heads(shop)[1] == [[row.id, order.number, row.seq, row.head]]
        chain = [(seal["number"], seal["previous"], seal["hash"]) for seal in stored_seals(session)]
    assert chain == [(1, GENESIS, first.hash), (2, first.hash, second.hash), (3, second.hash, third.hash)]
    assert shop.engine.seals() == [first, second, third]
    assert shop.engine.verify_audit() == []
    assert shop.engine.verify_audit(order.number) == []


def test_a_seal_is_due_a_day_after_the_last(shop: Shop, order: OrderHandle) -> None:
    """By the engine's clock; the first is due at once."""
    assert shop.engine.seal_if_due() is not None
    shop.clock.advance(hours=23, minutes=59)
    assert shop.engine.seal_if_due() is None
    shop.clock.advance(minutes=1)
    assert shop.engine.seal_if_due() is not None
    assert shop.engine.seal_if_due() is None


def test_a_clock_that_was_set_back_does_not_keep_seals_waiting(shop: Shop, order: OrderHandle) -> None:
    """A seal from next month would otherwise be the last one for a month; a minute back changes nothing."""
    shop.engine.seal()
    shop.clock.advance(minutes=-1)
    assert shop.engine.seal_if_due() is None

    shop.clock.advance(days=-30)
    assert shop.engine.seal_if_due() is not None
    assert shop.engine.verify_audit() == []


def test_workers_that_seal_at_once_make_a_chain(shop: Shop, order: OrderHandle) -> None:
    """Each number once; whoever comes second when a seal is due leaves it, whoever was asked for one makes the next."""
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: shop.engine.seal_if_due(), range(6)))
    due = len(shop.engine.seals())
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: shop.engine.seal(), range(3)))

    assert due == 1
    assert sorted(seal.number for seal in made) == [2, 3, 4]
    assert [len(each) for each in heads(shop)] == [2, 0, 0, 0]
    assert shop.engine.verify_audit() == []


def test_an_order_removed_with_all_that_is_its_own_is_missed(shop: Shop, order: OrderHandle) -> None:
    """Nothing in the other histories shows it."""
    instance, length = order.instance.id, order_length(shop, order)
    seal = shop.engine.seal()
    sql(shop, "DELETE FROM event WHERE instance_id = :id", "DELETE FROM task WHERE instance_id = :id",
        "DELETE FROM job WHERE instance_id = :id", "DELETE FROM sealed WHERE instance_id = :id",
        "DELETE FROM instance WHERE id = :id", id=instance)

    missed = [f"{order.number}: the whole order is missing; seal 1 of {shop.clock.now().isoformat()[:19]}.000000+00:00 "
              f"holds {length} events of it."]
    assert seal.number == 1
    assert shop.engine.verify_audit() == missed
    assert shop.engine.verify_audit(order.number) == missed


def test_a_history_cut_at_its_end_is_missed(shop: Shop, order: OrderHandle) -> None:
    """Also when the order's row was made to agree."""
    length = order_length(shop, order)
    shop.engine.seal()
    sql(shop, "DELETE FROM event WHERE instance_id = :id AND seq = :length",
        "UPDATE instance SET seq = seq - 1 WHERE id = :id",
        "UPDATE instance SET head = (SELECT hash FROM event WHERE instance_id = :id AND seq = :length - 1) "
        "WHERE id = :id", id=order.instance.id, length=length)

    [fault] = shop.engine.verify_audit()
    assert fault.startswith(f"{order.number}: event {length}: is missing; seal 1 of ")


def test_a_history_written_anew_to_its_end_is_seen(shop: Shop, order: OrderHandle) -> None:
    """Every hash fits; but not what was sealed."""
    length = order_length(shop, order)
    shop.engine.seal()
    writes_anew_from(shop, order, 4)

    [fault] = shop.engine.verify_audit()
    assert fault.startswith(f"{order.number}: event {length}: seal 1 of ")
    assert "written anew" in fault


def writes_anew_from(shop: Shop, order: OrderHandle, seq: int) -> None:
    """Changes an event and every hash from there on, the order's too: a history by itself cannot show it."""
    with shop.engine.transaction() as session:
        instance = session.get_one(Instance, order.instance.id)
        previous = ""
        for event in stored_events(session, instance.id)[seq - 1:]:
            actor = "somebody" if event["seq"] == seq else event["actor"]
            event.update(actor=actor, previous=previous or event["previous"])
            previous = event_hash(instance.id, event, event["seq"]) or ""
            row = session.get_one(Event, (instance.id, event["seq"]))
            row.actor, row.previous, row.hash = actor, event["previous"], previous
        instance.head = previous


def test_what_is_not_sealed_yet_can_be_written_anew(shop: Shop, order: OrderHandle) -> None:
    """What the chain does not promise (docs/audit.md): whoever writes everything anew before a seal is not found."""
    writes_anew_from(shop, order, 4)

    assert shop.engine.verify_audit() == []


def test_a_renamed_order_is_seen(shop: Shop, order: OrderHandle) -> None:
    """The number is in the seal."""
    shop.engine.seal()
    sql(shop, "UPDATE instance SET business_key = 'WB-77777' WHERE id = :id", id=order.instance.id)

    [fault] = shop.engine.verify_audit()
    assert fault.startswith(f"WB-77777: the order was called {order.number}; seal 1 of ")


@pytest.mark.parametrize(("statement", "said"), [
    ("UPDATE seal SET at = (SELECT max(at) FROM seal) WHERE number = 1",
     "seal 1: its content does not match its hash; the row was changed."),
    ("UPDATE seal SET hash = 'x' || substr(hash, 2) WHERE number = 2",
     "seal 2: its content does not match its hash; the row was changed."),
    ("UPDATE seal SET heads = :heads WHERE number = 2",
     "seal 2: its heads do not match its root; the row was changed."),
    ("UPDATE seal SET heads = :nonsense WHERE number = 2", "seal 2: cannot be read; the row was changed."),
    ("DELETE FROM seal WHERE number = 1", "seal 1: is missing; the row was removed."),
    ("DELETE FROM seal WHERE number = 2", "seal 2: is missing; the row was removed."),
    ("DELETE FROM seal WHERE number = 3", "seal 3: is missing; the row was removed."),
    ("UPDATE sealed SET number = 1 WHERE number = 3", "is marked as sealed by seal 1, which does not hold it."),
])  # fmt: skip
def test_a_changed_or_removed_seal_is_named(shop: Shop, order: OrderHandle, statement: str, said: str) -> None:
    """The seals are a chain as well."""
    shop.engine.seal()
    for _ in range(2):
        shop.time_passes(days=1)
        shop.places_order()
        shop.engine.seal()

    sql(shop, statement, heads=pack([]), nonsense=b"nonsense")

    assert any(fault.endswith(said) for fault in shop.engine.verify_audit()), shop.engine.verify_audit()


def test_an_order_that_is_kept_out_of_the_seals_is_seen(shop: Shop, order: OrderHandle) -> None:
    """Whoever marks it as sealed beforehand."""
    shop.engine.seal()
    new = shop.places_order()
    with shop.engine.transaction() as session:
        session.add(Sealed(instance_id=new.instance.id, seq=order_length(shop, new), number=1))
    shop.engine.seal()

    assert shop.engine.verify_audit() == [
        f"instance {new.instance.id}: is marked as sealed by seal 1, which does not hold it."
    ]


def test_a_seal_kept_elsewhere_must_be_there(shop: Shop, order: OrderHandle) -> None:
    """Whoever writes every seal anew cannot write the paper anew."""
    kept = shop.engine.seal()
    shop.clock.advance(days=1)
    shop.engine.seal()
    assert shop.engine.verify_audit(seal=kept.hash) == []

    sql(shop, "DELETE FROM sealed", "DELETE FROM seal")
    writes_anew_from(shop, order, 4)
    shop.engine.seal()

    assert shop.engine.verify_audit() == []
    [fault] = shop.engine.verify_audit(seal=kept.hash)
    assert fault.startswith(f"No seal has the hash {kept.hash}")


def order_length(shop: Shop, order: OrderHandle) -> int:
    return len(order.history())


def test_a_worker_looks_once_a_minute(shop: Shop, order: OrderHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """And seals when a day has passed; between two looks it asks the database nothing."""
    minutes = [0.0]
    monkeypatch.setattr("engine.housekeeping.time.monotonic", lambda: 60 * minutes[0])
    house = Housekeeping(shop.engine)
    numbers = []
    for at, day in ((0.0, 0), (0.5, 1), (0.9, 1), (1.0, 1), (2.0, 1)):
        minutes[0] = at
        if day and len(numbers) == 1:
            shop.clock.advance(days=1)
        house.look()
        numbers.append(len(shop.engine.seals()))

    assert numbers == [1, 1, 1, 2, 2]
