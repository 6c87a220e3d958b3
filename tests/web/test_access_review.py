"""The access review: who could sign what at each moment, and who did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from engine.views import Actor
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_pages_gates import decides, order_at_gate
from tests.web.visitor import visitor
from web.access_review import refused_attempts, review
from web.accounts.administration import Administration
from web.pages.access_review import harmless

ADMIN = Actor("admin", frozenset(["admin"]), sees_all=True, is_administrator=True)
HELENA = Actor("stock-approver", frozenset(["stock-approvers"]))
GATE = "approve_reservation"
APPROVERS = {"Helena Brandt", "Ravi Menon"}


@contextmanager
def office(world: World) -> Iterator[Administration]:
    """What an administrator changes; the clock goes on afterwards."""
    with world.engine.transaction() as session:
        yield Administration(world.engine, session, ADMIN)
    world.clock.advance(hours=1)


def could(world: World, at: datetime | None = None, gate: str = GATE) -> set[str]:
    """Who could sign the gate, by name; with whom they would sign for."""
    found = review(world.engine, at).rights
    return {r.display_name + (f" for {r.lent_by}" if r.lent_by else "") for r in found if r.element == gate}


def test_refused_attempts_are_found_by_an_index(each_world: World) -> None:
    """However long the histories of all orders are, their lines are not read."""
    now = each_world.clock.now()
    with each_world.database.read() as session:
        statement = refused_attempts(now - timedelta(days=90), now).compile(session.get_bind())
        explain = "EXPLAIN QUERY PLAN " if each_world.database.is_sqlite else "EXPLAIN "
        if not each_world.database.is_sqlite:
            session.execute(text("SET LOCAL enable_seqscan = off"))
        given = {name: str(value) for name, value in statement.construct_params().items()}
        values = given if statement.positiontup is None else tuple(given[name] for name in statement.positiontup)
        plan = "\n".join(str(row) for row in session.connection().exec_driver_sql(f"{explain}{statement}", values))

    assert "event_refused" in plan
    assert "SCAN event" not in plan
    assert "Seq Scan" not in plan


def test_each_moment_is_answered_as_it_was(each_world: World) -> None:
    """A person added, a team given and taken, another name, deactivated: every moment in between stays right."""
    world, moments = each_world, []

    def now(expected: set[str]) -> None:
        assert could(world) == expected
        moments.append((world.clock.now(), expected))
        world.clock.advance(hours=1)

    world.clock.advance(hours=1)
    now(APPROVERS)
    with office(world) as admin:
        admin.add("zoe", "Zoe Martin", ["stock-approvers"])
    assert "Zoe Martin" in could(world, world.clock.now() - timedelta(hours=1)), "a moment includes what was done then"
    now({*APPROVERS, "Zoe Martin"})
    with office(world) as admin:
        admin.change("sales", teams=["sales", "stock-approvers"])
    now({*APPROVERS, "Zoe Martin", "Anna Lindqvist"})
    with office(world) as admin:
        admin.change("sales", teams=["sales"], display_name="Anna Berg")
    now({*APPROVERS, "Zoe Martin"})
    with office(world) as admin:
        admin.change("zoe", active=False)
    now(APPROVERS)
    with office(world) as admin:
        admin.change("zoe", active=True)
    now({*APPROVERS, "Zoe Martin"})

    for at, expected in moments:
        assert could(world, at) == expected, at


def test_a_delegation_counts_while_it_runs_and_both_people_may(each_world: World) -> None:
    """From when it was given until it was revoked; and not while the one or the other may not sign."""
    world, start = each_world, each_world.clock.now()
    lent = world.engine.delegate(
        HELENA, principal="stock-approver", to="warehouse", team="stock-approvers", starts_at=start,
        ends_at=start + timedelta(days=3), reason="Holiday.",
    )  # fmt: skip
    given = world.clock.now()
    world.clock.advance(hours=1)
    with office(world) as admin:
        admin.change("stock-approver", teams=["sales"])
    moved = world.clock.now()
    world.clock.advance(hours=1)
    with office(world) as admin:
        admin.change("stock-approver", teams=["stock-approvers"])
        admin.change("warehouse", teams=["warehouse", "owner"])
    saw_all = world.clock.now()
    world.clock.advance(hours=1)
    with office(world) as admin:
        admin.change("warehouse", teams=["warehouse"])
    back = world.clock.now()
    world.clock.advance(hours=1)
    world.engine.revoke_delegation(lent.id, HELENA)
    world.clock.advance(hours=1)

    borrowed = "Mei Tan for stock-approver"
    assert could(world, given) == {*APPROVERS, borrowed}
    assert could(world, moved) == {"Ravi Menon"}
    assert could(world, saw_all) == APPROVERS
    assert could(world, back) == {*APPROVERS, borrowed}
    assert could(world) == APPROVERS
    (right,) = [r for r in review(world.engine, back).rights if r.lent_by]
    assert (right.lent_until, right.delegation, right.element) == (lent.ends_at, lent.id, GATE)


def test_signatures_refusals_and_overrides_are_counted(each_world: World) -> None:
    """In the period that ends with the moment, and no others."""
    world = each_world
    _, task = order_at_gate(world)
    decides(visitor(world, "stock-approver"), task, decision="approve", password="wrong")
    decides(visitor(world, "stock-approver"), task, decision="approve")
    _, other = order_at_gate(world)
    owner = Actor("owner", frozenset(["owner"]), sees_all=True, display_name="Dana Levy", is_owner=True)
    approval = world.engine.task(other, owner).approval
    assert approval is not None
    world.engine.override(other, owner, reason="Both approvers are ill today.", snapshot=approval.snapshot)

    used = {u.display_name: (u.signed, u.for_others, u.overrides, u.refused) for u in review(world.engine).used}
    assert used == {"Helena Brandt": (1, 0, 0, 1), "Dana Levy": (1, 0, 1, 0)}
    done = world.clock.now()
    world.clock.advance(days=91)
    assert review(world.engine).used == ()
    assert len(review(world.engine, since=done).used) == 2
    assert len(review(world.engine, done).used) == 2


def test_page_file_and_call_say_the_same(world: World) -> None:
    """In the reader's zone on the page; owner and administrator alone read it."""
    world.clock.advance(hours=2)
    before = world.clock.now()
    world.clock.advance(hours=2)
    with office(world) as admin:
        admin.add("zoe", "=Zoe", ["stock-approvers"])
    owner, at = visitor(world, "owner"), before.strftime("%Y-%m-%dT%H:%M")

    assert "=Zoe" in owner.goes("/access-review").text
    page = owner.goes(f"/access-review?at={at}")
    assert "=Zoe" not in page.text
    assert "Helena Brandt" in page.text
    assert "at=" in page.link("Download who could sign")

    file = owner.client.get("/access-review/could-sign.csv").get_data(as_text=True)
    assert ",'=Zoe,zoe,own right," in file
    assert "Zoe" not in owner.client.get(f"/access-review/could-sign.csv?at={at}").get_data(as_text=True)
    told = world.of("owner").get("/access-review", at=before.isoformat()).json
    assert {r["person"] for r in told["rights"] if r["element"] == GATE} == {"stock-approver", "stock-approver-2"}
    assert world.of("stock-approver").get("/access-review").status_code == 403


@pytest.mark.parametrize("query", ["at=soon", "at=2099-01-01T00:00", "since=2099-01-01T00:00"])
def test_a_moment_that_is_none_is_said_at_its_field(world: World, query: str) -> None:
    """What is no time, is still to come, or begins after it ends."""
    page = visitor(world, "owner").goes(f"/access-review?{query}")

    assert page.status == 422
    assert page.find(f"//p[@id='{query[: query.index('=')]}-err']")


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\t=1"])
def test_a_cell_runs_nothing(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless(f"a{cell}") == f"a{cell}"


def test_a_review_asks_a_fixed_number_of_statements(world: World) -> None:
    """However many people and lines of the journal there are."""
    review(world.engine)
    start = world.clock.now()
    with statements(world.database) as few:
        review(world.engine, start)
    for number in range(20):
        with office(world) as admin:
            admin.add(f"person-{number}", f"Person {number}", ["stock-approvers"])
    with statements(world.database) as many:
        review(world.engine, start)
    assert len(many) == len(few) <= 12
