"""Teams have roles, roles carry permissions: what each shipped team may do, and what follows when a team changes."""

from __future__ import annotations

import pytest

from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.visitor import visitor
from web.accounts import Team, TeamBook, working_teams
from web.accounts.tables import Team as TeamRow
from web.accounts.teams import SHIPPED, roles_of
from web.permissions import PERMISSIONS, ROLES, WORDS, allowed

WORKERS = {"sales", "warehouse", "finance", "shipping", "stock-approvers", "payment-approvers", "analysts"}
HOUSE = {"owner", "admin"}
ALL = WORKERS | HOUSE
EXPECTED = {
    **dict.fromkeys(
        ("signed-in", "orders.read", "orders.note", "tasks.read", "tasks.work", "instances.start", "jobs.read",
         "messages.read", "stock.read", "processes.read"), ALL,
    ),
    "orders.create": {"sales"} | HOUSE,
    "orders.cancel": {"sales", "finance"} | HOUSE,
    "jobs.retry": {"sales", "warehouse", "finance", "shipping", "analysts"} | HOUSE,
    "messages.set_aside": HOUSE,
    "processes.write": {"analysts", "admin"},
    "people.read": HOUSE,
    "people.write": {"admin"},
    "journal.read": HOUSE,
}  # fmt: skip
"""Permission → the shipped teams that have it."""


@pytest.mark.parametrize("name", EXPECTED)
def test_each_shipped_team_may_what_it_always_could(name: str) -> None:
    """Roles came between teams and permissions; nobody gained or lost a right by it."""
    assert {key for key, team in SHIPPED.items() if allowed(team.roles, name)} == EXPECTED[name]


def test_every_permission_is_said_in_words() -> None:
    """A permission without words would be missing where a page says what somebody may do."""
    assert WORDS.keys() == PERMISSIONS.keys()
    assert set().union(*PERMISSIONS.values()) <= ROLES.keys()


def test_a_new_teams_right_holds_at_once_in_every_process(world: World) -> None:
    """A team with the role of a cashier is added and somebody put into it: a process that knew other teams sees it."""
    other = visitor(world, "shipping")
    order = world.place()
    assert other.goes(f"/orders/{order}/cancel").status == 403

    with world.database.write() as session:  # as another process does it
        session.add(TeamRow(key="night", title="Night shift", roles=["cashier"], active=True, revision=1))
        from web.accounts import User

        session.get_one(User, "shipping").teams = ["shipping", "night"]

    assert other.goes(f"/orders/{order}/cancel").status == 200
    assert "Shipping, Night shift" in other.goes("/more").text
    assert world.engine.working_teams()["night"] is True  # type: ignore[index]


def test_a_title_is_said_everywhere_as_it_was_changed(world: World) -> None:
    """The inbox, the menu and the diagram's panel know the team by its new title."""
    world.place()
    world.work()
    with world.database.write() as session:
        session.add(TeamRow(key="stock-approvers", title="Stock keepers", roles=[], active=True, revision=1))

    owner = visitor(world, "owner")

    assert "Stock keepers" in owner.goes("/inbox").text
    assert "Stock keepers" in owner.goes("/orders").text
    assert "Stock keepers" in visitor(world, "stock-approver").goes("/more").text


def test_teams_cost_no_statement_of_their_own(world: World) -> None:
    """The teams are read once and then only when one has changed."""
    anna = visitor(world, "sales")
    anna.goes("/inbox")

    with statements(world.database) as seen:
        anna.goes("/inbox")

    assert [statement for statement in seen if "FROM team" in statement and "user_account" not in statement] == []


def test_a_retired_team_gives_no_right(world: World) -> None:
    """Somebody who is still of a team that was retired has none of its roles."""
    with world.database.write() as session:
        session.add(TeamRow(key="old", title="Old", roles=["owner"], active=False, revision=1))
    book = TeamBook(world.database)

    assert book.at(1)["old"] == Team("old", "Old", frozenset({"staff", "owner"}), active=False)
    assert roles_of(["old"], book.at(1)) == frozenset()
    assert "old" not in working_teams(world.database)
