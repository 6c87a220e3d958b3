"""An export is checked by somebody who has Python and no Waybill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from engine import offline_verifier
from engine.errors import NotFound
from tests.scenarios.shop import OrderHandle, Shop

Check = Callable[[list[bytes]], tuple[int, list[str]]]
OTHER = {"email": "somebody@else.example", "street": "Ring 1", "postal_code": "50667", "city": "Köln"}
"""Another customer: the history of an order names what the same customer ordered with it."""


@pytest.fixture
def order(shop: Shop) -> OrderHandle:
    """A sealed order that went on after the seal, beside two others of other customers."""
    shop.places_order(**OTHER, name="Łukasz „der Große“ \"O'Neill\"")
    order = shop.places_order()
    shop.engine.seal()
    order.goes_to("prepare_shipment")
    shop.places_order(**OTHER)
    shop.engine.seal()
    return order


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Runs the one file in a bare Python, in a folder where nothing of ours is."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "verify.py").write_bytes(Path(offline_verifier.__file__).read_bytes())

    def run(lines: list[bytes]) -> tuple[int, list[str]]:
        (folder / "export.jsonl").write_bytes(b"".join(lines))
        done = subprocess.run([sys.executable, "-I", "-S", "verify.py", "export.jsonl"], cwd=folder, text=True,
                              env={}, capture_output=True, timeout=60, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    return run


def test_a_whole_export_passes(shop: Shop, order: OrderHandle, check: Check) -> None:
    """Every order, every event, every seal."""
    lines = list(shop.engine.export_audit())
    with shop.engine.reading() as session:
        events = sum(session.execute(text(f"SELECT count(*) FROM {t}")).scalar_one() for t in ("event", "journal"))

    assert check(lines) == (0, [f"3 orders, {events} events, 2 seals checked: every history is whole."])


def test_the_export_of_one_order_tells_nothing_of_others(shop: Shop, order: OrderHandle, check: Check) -> None:
    """The seals prove their part of it by the hashes beside it."""
    lines = list(shop.engine.export_audit(order.number))

    assert check(lines) == (0, [f"1 orders, {len(order.history())} events, 2 seals checked: every history is whole."])
    exported = b"".join(lines)
    assert order.number.encode() in exported
    assert b"WB-10001" not in exported
    assert b"WB-10003" not in exported


@pytest.mark.parametrize("one", [False, True])
def test_a_changed_event_is_named(shop: Shop, order: OrderHandle, check: Check, *, one: bool) -> None:
    """Changed in the file: exit 1, and a line that names order and event."""
    lines = list(shop.engine.export_audit(order.number if one else None))
    start = next(n for n, line in enumerate(lines) if order.number.encode() in line and b'"line":"instance"' in line)
    event = json.loads(lines[start + 3])
    event["body"] = event["body"].replace("o", "0", 1)
    lines[start + 3] = offline_verifier.canonical(event) + b"\n"

    code, output = check(lines)

    assert code == 1
    assert output[0] == f"{order.number}: event 3: its content does not match its hash; the row was changed."
    assert output[-1].endswith("checked: 1 faults.")


@pytest.mark.parametrize("one", [False, True])
def test_a_history_cut_at_its_end_is_missed(shop: Shop, order: OrderHandle, check: Check, *, one: bool) -> None:
    """In the database already: the export says what it holds, the seal in it what it should."""
    length = len(order.history())
    with shop.engine.transaction() as session:
        session.execute(text("DELETE FROM event WHERE instance_id = :id AND seq = :seq"),
                        {"id": order.instance.id, "seq": length})
        session.execute(text("UPDATE instance SET seq = :seq, head = (SELECT hash FROM event WHERE instance_id = :id "
                             "AND seq = :seq) WHERE id = :id"), {"id": order.instance.id, "seq": length - 1})

    code, output = check(list(shop.engine.export_audit(order.number if one else None)))

    assert code == 1
    assert output[0].startswith(f"{order.number}: event {length}: is missing; seal 2 of ")


def test_a_row_that_cannot_be_read_is_exported_as_such(shop: Shop, order: OrderHandle, check: Check) -> None:
    """Tampering does not keep the rest from being exported and checked."""
    with shop.engine.transaction() as session:
        session.execute(text("UPDATE event SET body = :body WHERE instance_id = :id AND seq = 3"),
                        {"id": order.instance.id, "body": b"\xff"})

    assert check(list(shop.engine.export_audit()))[1][0] == (
        f"{order.number}: event 3: cannot be read; the row was changed."
    )


def test_a_torn_file_does_not_pass(shop: Shop, order: OrderHandle, check: Check) -> None:
    """A copy that broke off, between lines or within one."""
    lines = list(shop.engine.export_audit())

    assert check(lines[:-1])[0] == 1
    assert "ends too early" in " ".join(check([*lines[:-4], lines[-4][:20]])[1])
    assert check([])[0] == 1


def test_the_export_of_an_order_that_is_not_there(shop: Shop) -> None:
    """Is refused before anything is written."""
    with pytest.raises(NotFound, match=r"There is no order WB-77"):
        next(shop.engine.export_audit("WB-77"))
