"""The demo in a real process: it ends, and it can be killed at any moment and taken up again."""

from __future__ import annotations

import signal
import sqlite3

import pytest

from tests.processes.house import House, Server

pytestmark = pytest.mark.slow
ENDED = "Every order ended and every invariant holds."


def test_a_demo_killed_twice_still_brings_every_order_to_its_end(house: House) -> None:
    """kill -9 in the middle: nothing is lost and nothing is done twice."""
    for lines in (40, 120):
        process = house.start("demo", "--orders", "8", "--seed", "7")
        Server(process, "").until(lambda lines=lines: len(house.ask("select 1 from event")) >= lines, "getting on")
        process.send_signal(signal.SIGKILL)
        process.wait()

    code, output = house.does("demo", "--orders", "8", "--seed", "7")

    assert code == 0, output
    assert ENDED in output
    assert house.ask("select count(*) from orders") == [(8,)]


def test_a_demo_says_how_far_it_is_and_fails_when_something_is_wrong(house: House) -> None:
    """Without a terminal there is a line now and then; a piece of stock that came from nowhere is named, exit 1."""
    code, output = house.does("demo", "--orders", "2", "--seed", "3")
    assert code == 0, output
    assert " of 2 orders ended" in output.splitlines()[0]
    assert "orders closed" in output
    assert ENDED in output

    with sqlite3.connect(house.var / "waybill.db") as connection:
        connection.execute("update stock set on_hand = on_hand + 1 where sku = 'product-a' and region = 'europe'")
        connection.execute("update event set actor = 'somebody' where seq = 3")
    code, output = house.does("demo", "--orders", "0", "--seed", "3")
    assert code == 1
    assert "BROKEN  stock: ('product-a', 'europe') has" in output
    assert "WB-10001: event 3: its content does not match its hash; the row was changed." in output
    assert ENDED not in output

    code, output = house.does("audit", "verify", "WB-10001")
    assert (code, output) == (
        1, "WB-10001: event 3: its content does not match its hash; the row was changed.\n"
    )
