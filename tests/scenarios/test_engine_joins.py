"""Branches that come together: also in a loop, every branch of this round is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from engine import SYSTEM, Engine
from engine.store.database import Database
from tests.scenarios.repairs import DESK, RECORDED, SIGNER, Outside, bundle, registry


@pytest.fixture
def engine(database: Database, clock: Any) -> Iterator[Engine]:
    """A repair shop."""
    with database.write() as session:
        session.execute(text(f"CREATE TABLE {RECORDED} (key VARCHAR(200))"))
    engine = Engine(database, registry(Outside()), clock)
    engine.deploy(bundle(), SYSTEM)
    yield engine
    with database.write() as session:
        session.execute(text(f"DROP TABLE {RECORDED}"))


def open_elements(engine: Engine) -> list[str]:
    return [task.element for task in engine.order_tasks("R-1") if task.state == "open"]


def task(engine: Engine, element: str) -> str:
    return next(t.id for t in engine.order_tasks("R-1") if t.state == "open" and t.element == element)


@pytest.mark.parametrize("first", ["part", "money"])
def test_a_join_in_a_loop_waits_for_every_branch_of_each_round(engine: Engine, first: str) -> None:
    """Whichever branch is done first, and however often the gate has sent back."""
    def part_comes() -> None:
        engine.deliver("part.came", "R-1", {}, source="world", message_id=f"m{round_}")

    def money_comes() -> None:
        engine.work(limit=20)

    steps = [part_comes, money_comes] if first == "part" else [money_comes, part_comes]
    engine.start("repair", "R-1", DESK)
    for round_ in range(3):
        engine.complete(task(engine, "note"), DESK, {"amount": 5})
        steps[0]()
        assert open_elements(engine) == [], f"round {round_}: one branch is under way"
        steps[1]()
        assert open_elements(engine) == ["sign"]
        page = engine.task(task(engine, "sign"), SIGNER).approval
        assert page is not None
        engine.decide(task(engine, "sign"), SIGNER, "send_back", comment="Again.", snapshot=page.snapshot,
                      send_back_to=1)
