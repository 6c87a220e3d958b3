"""Teams: the shipped ones and those an administrator has added, with their titles and roles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.store.database import Database
from web.accounts.tables import Team as TeamRow
from web.permissions import ROLES, SEES_ALL
from web.texts import _


@dataclass(frozen=True, slots=True)
class Team:
    """A team as people know it."""

    key: str
    """What diagrams and tokens of the engine name it by; never changes."""
    title: str
    roles: frozenset[str]
    """Keys of `web.permissions.ROLES`; every team has `staff`."""
    active: bool = True
    shipped: bool = False

    @property
    def works(self) -> bool:
        """Whether its people do tasks; owners and administrators see all and do none."""
        return self.roles.isdisjoint(SEES_ALL)

    @property
    def role_names(self) -> list[str]:
        keys = [role for role in ROLES if role in self.roles and role != "staff"] or ["staff"]
        return [_(ROLES[role]) for role in keys]


def _shipped(key: str, title: str, *roles: str) -> Team:
    return Team(key, title, frozenset({"staff", *roles}), shipped=True)


SHIPPED: Mapping[str, Team] = {
    team.key: team
    for team in (
        _shipped("sales", "Sales", "operator", "order_desk"),
        _shipped("warehouse", "Warehouse", "operator"),
        _shipped("finance", "Finance", "operator", "cashier"),
        _shipped("shipping", "Shipping", "operator"),
        _shipped("stock-approvers", "Stock approvers", "approver"),
        _shipped("payment-approvers", "Payment approvers", "approver"),
        _shipped("analysts", "Analysts", "analyst"),
        _shipped("owner", "Owner", "owner"),
        _shipped("admin", "Administrator", "administrator"),
    )
}
"""Always there: their titles may be changed, their roles not, and they cannot be retired."""


def all_teams(session: Session) -> dict[str, Team]:
    """Every team, also retired ones: the shipped ones first, then those that were added, by title."""
    return teams_of(session.scalars(select(TeamRow).order_by(TeamRow.title, TeamRow.key)))


def teams_of(rows: Iterable[TeamRow]) -> dict[str, Team]:
    """The same, of the rows as they were read."""
    found = dict(SHIPPED)
    for row in rows:
        mine = SHIPPED.get(row.key)
        found[row.key] = replace(mine, title=row.title) if mine else Team(
            row.key, row.title, frozenset(row.roles) | {"staff"}, row.active
        )  # fmt: skip
    return found


def active_teams(session: Session) -> dict[str, Team]:
    """The teams that people can be of."""
    return {key: team for key, team in all_teams(session).items() if team.active}


def roles_of(teams: Collection[str], known: Mapping[str, Team]) -> frozenset[str]:
    """The roles of somebody of these teams."""
    return frozenset(role for key in teams if key in known and known[key].active for role in known[key].roles)


def working_teams(database: Database) -> dict[str, bool]:
    """The teams that people can be of now, and whether they do tasks: asked anew each time, because a process that
    serves no pages hears from nobody that they have changed."""
    with database.read() as session:
        return {key: team.works for key, team in active_teams(session).items()}


class TeamBook:
    """The teams as this process knows them. They are read again when an account that is asked for says that they have
    changed (`User.teams_revision`), so a page asks for them no more often than they change, whichever process did."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[int, Mapping[str, Team]] | None = None

    def at(self, revision: int) -> Mapping[str, Team]:
        """Every team, at least as new as this revision."""
        if self._known is None or self._known[0] < revision:
            with self._database.read() as session:
                found = all_teams(session)
            self._known = (revision, found)
        return self._known[1]

    def known(self) -> Mapping[str, Team]:
        """Every team as it was known last; within a request that is after somebody's account was read."""
        return self.at(0)
