"""Claiming a job costs the same, however much is due and however much was done."""

from __future__ import annotations

from sqlalchemy import text

from tests.scenarios.shop import Shop

BACKLOG = """
insert into job select 'd' || g, instance_id, business_key, process, null, element, name, step, kind, operation,
  'k' || g, arguments, case when g % 4 = 0 then 'ready' else 'done' end, run_at, 0, 8, 0, null, null, null, null,
  created_at, updated_at
from (select * from job limit 1) one, (with recursive n(g) as (select 1 union all select g + 1 from n where g < 8000)
  select g from n) many
"""


def test_a_claim_reads_one_row_along_an_index(shop: Shop) -> None:
    """Nothing is sorted and no table is read, so a long queue makes no claim slower."""
    shop.places_order()
    shop.clock.advance(days=30)
    engine, database = shop.engine, shop.parts.database
    with database.write() as session:
        session.execute(text(BACKLOG))
        session.execute(text("analyze"))

    with database.write() as session:
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        plans = []
        for statement in engine._due(database.lock_clock(session), None):
            sql = str(statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
            plans.append("\n".join(str(row) for row in session.execute(text(explain + sql.replace(":", "\\:")))))

    for plan, index in zip(plans, ("job_leased", "job_due"), strict=True):
        assert index in plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan
    assert engine.claim_next() is not None
