"""Whoever changes the history with SQL is found, and the row is named: on each database, by the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from engine.audit import stored_events
from engine.offline_verifier import Event, event_hash
from tests.scenarios.shop import OrderHandle, Shop

COLUMNS = "instance_id, at, actor, kind, process, element, name, step, body, previous, hash"
Sql = Callable[..., Any]


@pytest.fixture
def order(shop: Shop) -> OrderHandle:
    """An order with some history, beside another one."""
    shop.places_order()
    return shop.places_order()


@pytest.fixture
def sql(shop: Shop, order: OrderHandle) -> Sql:
    """Runs statements on the rows of the order, with nobody watching over them."""

    def run(*statements: str, **values: Any) -> Any:
        with shop.parts.database.engine.connect() as connection:
            connection.rollback()
            if shop.parts.database.is_sqlite:
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
            else:
                connection.execute(text("SET session_replication_role = replica"))
            found = None
            for statement in statements:
                wanted = {"id": order.instance.id, **values}
                found = connection.execute(text(statement), {k: v for k, v in wanted.items() if f":{k}" in statement})
                found = found.all() if found.returns_rows else None
            connection.commit()
            connection.invalidate()
            return found

    return run


def events(shop: Shop, order: OrderHandle) -> list[Event]:
    with shop.engine.reading() as session:
        return stored_events(session, order.instance.id)


def last(shop: Shop, order: OrderHandle) -> int:
    return len(events(shop, order))


def writes_anew(shop: Shop, order: OrderHandle, sql: Sql, seq: int, **changes: Any) -> str:
    """Changes an event and gives it the hash that fits; returns the hash."""
    event = {**next(e for e in events(shop, order) if e["seq"] == seq), **changes}
    fitting = event_hash(order.instance.id, event, seq)
    assert fitting is not None
    sets = ", ".join(f"{name} = :{name}" for name in changes)
    sql(f"UPDATE event SET {sets}, hash = :hash WHERE instance_id = :id AND seq = :seq", seq=seq, hash=fitting,
        **changes)
    return fitting


def moves(first: int, last_: int, by: int) -> list[str]:
    """Gives a run of rows other numbers, over a detour where numbers would meet."""
    where = "instance_id = :id AND seq"
    return [f"UPDATE event SET seq = seq + 10000 WHERE {where} BETWEEN {first} AND {last_}",
            f"UPDATE event SET seq = seq - 10000 + {by} WHERE {where} > 9000"]


def copies(seq: int, to: int) -> str:
    return (f"INSERT INTO event (seq, {COLUMNS}) SELECT {to}, {COLUMNS} FROM event "
            f"WHERE instance_id = :id AND seq = {seq}")


def faults(shop: Shop, order: OrderHandle) -> list[str]:
    """What is found, without the order's name: no other order is named."""
    found = shop.engine.verify_audit()
    assert [fault for fault in found if not fault.startswith(f"{order.number}: ")] == []
    assert shop.engine.verify_audit(order.number) == found
    return [fault.removeprefix(f"{order.number}: ") for fault in found]


CHANGED = "its content does not match its hash; the row was changed."


@pytest.mark.parametrize("change", [
    "actor = 'somebody'", "kind = 'kompleted'", "element = 'other'", "element = NULL", "name = 'Other'", "step = 19",
    "process = 'other'", "hash = 'x' || substr(hash, 2)", "previous = 'x' || substr(previous, 2)",
])  # fmt: skip
def test_a_changed_column_names_its_row(shop: Shop, order: OrderHandle, sql: Sql, change: str) -> None:
    """That row and no other."""
    sql(f"UPDATE event SET {change} WHERE instance_id = :id AND seq = 4")

    assert faults(shop, order) == [f"event 4: {CHANGED}"]


@pytest.mark.parametrize("seq", [1, 5, -1])
def test_one_changed_byte_names_its_row(shop: Shop, order: OrderHandle, sql: Sql, seq: int) -> None:
    """The first, one in the middle, the last; any byte of what it holds."""
    seq = seq if seq > 0 else last(shop, order)
    whole = bytes(sql("SELECT body FROM event WHERE instance_id = :id AND seq = :seq", seq=seq)[0][0])
    for at in range(0, len(whole), max(1, len(whole) // 7)):
        body = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]
        sql("UPDATE event SET body = :body WHERE instance_id = :id AND seq = :seq", seq=seq, body=body)

        assert faults(shop, order) == [f"event {seq}: {CHANGED}"]


def test_a_row_that_is_no_text_any_more_is_named(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """What cannot be read is told so; the others are checked nevertheless."""
    sql("UPDATE event SET body = :body WHERE instance_id = :id AND seq = 3", body=b"\xff\xfe")
    sql("UPDATE event SET actor = 'x' WHERE instance_id = :id AND seq = 5")

    assert faults(shop, order) == ["event 3: cannot be read; the row was changed.", f"event 5: {CHANGED}"]


def test_a_time_that_is_none_is_named(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """The most senseless time that the database takes."""
    never = "never" if shop.parts.database.is_sqlite else "infinity"
    sql(f"UPDATE event SET at = '{never}' WHERE instance_id = :id AND seq = 3")

    assert faults(shop, order) == ["event 3: cannot be read; the row was changed."]


def test_every_changed_row_is_named(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """Not only the first."""
    sql("UPDATE event SET actor = 'x' WHERE instance_id = :id AND seq IN (2, 3, 6)")

    assert faults(shop, order) == [f"event {n}: {CHANGED}" for n in (2, 3, 6)]


@pytest.mark.parametrize("seq", [1, 5, -1])
def test_a_removed_row_is_named(shop: Shop, order: OrderHandle, sql: Sql, seq: int) -> None:
    """The first, one in the middle, the last."""
    seq = seq if seq > 0 else last(shop, order)
    sql("DELETE FROM event WHERE instance_id = :id AND seq = :seq", seq=seq)

    assert faults(shop, order) == [f"event {seq}: is missing; the row was removed."]


def test_removed_rows_are_named_as_one(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """Also when nothing is left."""
    end = last(shop, order)
    sql("DELETE FROM event WHERE instance_id = :id AND seq BETWEEN 3 AND 5")
    assert faults(shop, order) == ["events 3 to 5: are missing; the rows were removed."]

    sql("DELETE FROM event WHERE instance_id = :id")
    assert faults(shop, order) == [f"events 1 to {end}: are missing; the rows were removed."]


def test_a_closed_gap_is_seen(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """Whoever removes a row and gives the others its place."""
    end = last(shop, order)
    sql("DELETE FROM event WHERE instance_id = :id AND seq = 3", *moves(4, end, -1))

    assert faults(shop, order) == [
        "event 3: is missing; the row was removed.",
        f"events 3 to {end - 1}: were written as events 4 to {end}; the rows were moved.",
    ]


@pytest.mark.parametrize("place", [1, 5])
def test_an_inserted_row_is_named(shop: Shop, order: OrderHandle, sql: Sql, place: int) -> None:
    """Whoever makes room for a row of his own: at the beginning, in the middle."""
    end = last(shop, order)
    sql(*moves(place, end, 1), copies(2 if place > 2 else 3, place))

    assert faults(shop, order) == [
        f"event {place}: is a copy of event 2; the row was inserted.",
        f"events {place + 1} to {end + 1}: were written as events {place} to {end}; the rows were moved.",
    ]


def test_an_inserted_row_with_a_hash_that_fits_is_named(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """It follows the event before it and its hash is right; nothing follows it."""
    end = last(shop, order)
    sql(*moves(5, end, 1), copies(4, 5))
    before = next(e for e in events(shop, order) if e["seq"] == 4)
    writes_anew(shop, order, sql, 5, actor="somebody", previous=before["hash"])

    assert faults(shop, order) == [
        "event 5: does not belong to the history; the row was inserted.",
        f"events 6 to {end + 1}: were written as events 5 to {end}; the rows were moved.",
    ]


@pytest.mark.parametrize("place", [0, 1])
def test_a_row_outside_the_history_is_named(shop: Shop, order: OrderHandle, sql: Sql, place: int) -> None:
    """Where numbers are free: before the first, after the last."""
    end = last(shop, order)
    place = place and end + 1
    sql(copies(2, place))

    why = f"stands after the end of the history, which is event {end}" if place else "is a copy of event 2"
    assert faults(shop, order) == [f"event {place}: {why}; the row was inserted."]


def test_reordered_rows_are_named(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """Two that change places, neighbours or not; and one that goes far."""
    swap = ["UPDATE event SET seq = 9999 WHERE instance_id = :id AND seq = 3",
            "UPDATE event SET seq = 3 WHERE instance_id = :id AND seq = 5",
            "UPDATE event SET seq = 5 WHERE instance_id = :id AND seq = 9999"]
    sql(*swap)
    assert faults(shop, order) == [
        "event 3: was written as event 5; the row was moved.", "event 5: was written as event 3; the row was moved.",
    ]
    sql(*swap)
    assert faults(shop, order) == []

    sql("UPDATE event SET seq = 777 WHERE instance_id = :id AND seq = 4")
    assert "event 777: was written as event 4; the row was moved." in faults(shop, order)


@pytest.mark.parametrize("seq", [1, 4, -1])
def test_a_row_written_anew_with_its_hash_is_named(shop: Shop, order: OrderHandle, sql: Sql, seq: int) -> None:
    """Whoever knows how the hash is made: the event after it, or the order, still says what it was."""
    end = last(shop, order)
    seq = seq if seq > 0 else end
    writes_anew(shop, order, sql, seq, actor="somebody")

    [fault] = faults(shop, order)
    assert fault.startswith(f"event {seq}: ")
    assert "the row was written anew with a hash of its own" in fault


def test_a_changed_end_of_the_order_is_seen(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """The order's own row says how its history ends."""
    end = last(shop, order)
    sql("UPDATE instance SET head = CASE substr(head, 1, 1) WHEN 'f' THEN 'e' ELSE 'f' END || substr(head, 2) "
        "WHERE id = :id")
    assert [fault.split(":")[0] for fault in faults(shop, order)] == [f"event {end}"]

    sql("UPDATE instance SET head = (SELECT hash FROM event WHERE instance_id = :id AND seq = :seq), seq = seq + 3 "
        "WHERE id = :id", seq=end)
    assert faults(shop, order) == [f"events {end + 1} to {end + 3}: are missing; the rows were removed."]


def test_an_order_removed_without_its_events_is_seen(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """Its events are still there."""
    end, instance = last(shop, order), order.instance.id
    sql("DELETE FROM instance WHERE id = :id")

    assert shop.engine.verify_audit() == [
        f"instance {instance}: events 1 to {end}: the order they belong to is missing; its row was removed, or these "
        "were inserted."
    ]


def test_a_history_moved_to_another_order_is_seen(shop: Shop, order: OrderHandle, sql: Sql) -> None:
    """A history belongs to its order."""
    other = shop.places_order()
    sql("DELETE FROM event WHERE instance_id = :id",
        f"INSERT INTO event (seq, {COLUMNS}) SELECT seq, {COLUMNS.replace('instance_id', ':id')} FROM event "
        "WHERE instance_id = :other",
        "UPDATE instance SET seq = (SELECT seq FROM instance i WHERE i.id = :other), "
        "head = (SELECT head FROM instance i WHERE i.id = :other) WHERE id = :id",
        other=other.instance.id)

    assert faults(shop, order) == [f"event {n}: {CHANGED}" for n in range(1, last(shop, other) + 1)]
