"""What the page of a gate asks of the database, however many gates wait."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import insert, select

from engine.store.tables import Task
from engine.views import Actor, Amount
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_pages_gates import decides, order_at_gate
from tests.web.visitor import open_task, visitor

MOST = 12
MANY = 200


def wait_for_signature(world: World, task: str, how_many: int) -> None:
    """As many gates more like this one wait, each of an order of its own."""
    table = Task.__table__
    with world.database.write() as session:
        like = dict(session.execute(select(table).where(table.c.id == task)).mappings().one())
        session.execute(insert(table), [
            {**like, "id": str(uuid.uuid4()), "business_key": f"WB-9{each:04}"} for each in range(how_many)
        ])  # fmt: skip


def asked(world: World, who: str, task: str, waiting: str, *, can_sign: bool = True) -> list[str]:
    """The statements of a gate's page for somebody who has looked at one before."""
    person = visitor(world, who)
    person.goes(f"/tasks/{task}")
    with statements(world.database) as seen:
        page = person.goes(f"/tasks/{task}")
    assert page.status == 200
    assert bool(page.find("//section[@id='decide']")) is can_sign
    assert waiting in page.text
    return seen


def test_a_gate_is_read_in_few_statements_however_many_wait(world: World) -> None:
    """Both gates, the only one or one of two hundred and one."""
    order, task = order_at_gate(world)
    reads_alone_and_among_many(world, "stock-approver", task)
    decides(visitor(world, "stock-approver"), task, decision="approve")
    world.work()
    reads_alone_and_among_many(world, "payment-approver", open_task(world, order))


def test_so_it_is_for_who_signs_for_another(world: World) -> None:
    """For each of several people, by a delegation that holds and by ones that do not."""
    _, task = order_at_gate(world)
    now = world.clock.now()
    for lends, limit in (("stock-approver", 1), ("stock-approver-2", None)):
        world.engine.delegate(
            Actor(lends, frozenset(["stock-approvers"])), principal=lends, to="warehouse", team="stock-approvers",
            starts_at=now, ends_at=now + timedelta(days=1), reason="Holiday.", up_to=limit and Amount(limit, "USD"),
        )
        seen = asked(world, "warehouse", task, "", can_sign=limit is None)
        assert len(seen) <= MOST, (len(seen), seen)
    reads_alone_and_among_many(world, "warehouse", task)


def reads_alone_and_among_many(world: World, who: str, task: str) -> None:
    alone = asked(world, who, task, "")
    assert len(alone) <= MOST, (len(alone), alone)
    wait_for_signature(world, task, MANY)
    among = asked(world, who, task, "more than 99 wait for you")
    assert len(among) == len(alone), among
