"""What an administrator does with people and teams. Every change of rights is a line of the journal, in one transaction
with the change; rules that hold on every path (page and command line) are held here."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import Actor, Engine
from handlers.contract import Clock, SystemClock
from web.accounts.away import is_away
from web.accounts.links import Kind, end_link, find_link, make_link, use_link
from web.accounts.notices import Notice, What, notice_of, notices_of_signer
from web.accounts.passwords import hasher, set_password
from web.accounts.people import AccountError, check_name
from web.accounts.second_factor import remove_second_factor
from web.accounts.sessions import end_sessions
from web.accounts.tables import Team as TeamRow
from web.accounts.tables import User
from web.accounts.teams import Team, active_teams, all_teams, roles_of
from web.permissions import ROLES
from web.texts import N_, _

LONGEST_NAME = 120
"""Characters of a display name and of a team's title."""
_EMPTY = {
    "display_name": N_("The display name is empty. Give one."),
    "title": N_("The title is empty. Give one."),
}
_TOO_LONG = {
    "display_name": N_("A display name is a line of at most %(most)s characters."),
    "title": N_("A title is a line of at most %(most)s characters."),
}
_TEAM_KEY = re.compile(r"[a-z][a-z0-9-]{0,79}")
ADMINISTRATOR = "administrator"
APPROVER = "approver"


@dataclass(frozen=True, slots=True)
class Administration:
    """Somebody's changes to people and teams, within one transaction."""

    engine: Engine
    session: Session
    by: Actor
    wall: Clock = field(default_factory=SystemClock)
    """The time of the world outside: sessions and links in mails end by it, whatever a demo's clock says."""
    notices: list[Notice] = field(default_factory=list)
    """What people are to be told by mail of these changes, once they are committed (`Letters.tell`)."""

    # --- people -------------------------------------------------------------------------------------------------------

    def add(
        self, name: str, display_name: str, teams: Collection[str], *, email: str | None = None,
        password: str | None = None,
    ) -> User:
        """Makes a person. Without a password they cannot sign in before they have set one. AccountError."""
        check_name(self.session, name)
        user = User(
            name=name, display_name=line(display_name, "display_name"),
            password_hash=hasher.hash(password) if password else "", teams=self._teams(teams),
            email=self._email(email, name), active=True,
        )  # fmt: skip
        self.session.add(user)
        self.session.flush()
        self._note("user_added", name, after=rights(user))
        return user

    def change(
        self, name: str, *, display_name: str | None = None, email: str | None = None,
        teams: Collection[str] | None = None, active: bool | None = None,
    ) -> User:
        """Changes what is given, all of it or, when one is refused, nothing. AccountError names the field.

        Who gets other teams or is deactivated is signed out everywhere, and the tasks they may no longer do go back to
        their teams. A link that was sent to another e-mail address holds no more, and that address is told.
        """
        user = self._locked(name)
        before = rights(user)
        if display_name is not None:
            user.display_name = line(display_name, "display_name")
        if email is not None:
            user.email = self._email(email, name)
        if teams is not None:
            user.teams = self._teams(teams)
        if active is not None:
            user.active = active
        after = rights(user)
        changed = {field for field in before if before[field] != after[field]}
        if not changed:
            return user
        if changed & {"teams", "active"}:
            self._check_rights(user, changed)
            end_sessions(self.session, name, self.wall.now())
            if not user.active:
                end_link(self.session, name)
            kept = user.teams if user.active else ()
            why = "is of other teams now" if user.active else "may not sign in any more"
            self.engine.release_tasks(self.session, name, self.by, keep=kept, why=f"{user.display_name} {why}.")
        if "email" in changed:
            self._tell_owners(user, "address")
        if "email" in changed and before["email"]:
            end_link(self.session, name)
            self._tell(user, "address", to=before["email"])
        self._note("user_changed", name, before={field: before[field] for field in sorted(changed)},
                   after={field: after[field] for field in sorted(changed)})
        return user

    def link(self, name: str, kind: Kind) -> str:
        """Makes a one-time link for a person (`web.accounts.links`) and returns its secret. AccountError."""
        user = self._locked(name)
        if not user.active:
            raise AccountError(
                _("%(person)s may not sign in. Make the account active first.", person=user.display_name)
            )
        if not user.email:
            raise AccountError(
                _("%(person)s has no e-mail address. Give one first.", person=user.display_name), "email"
            )
        secret = make_link(self.session, name, kind, self.wall.now())
        self._note("invited" if kind == "invitation" else "reset_sent", name, to=user.email)
        return secret

    def not_sent(self, name: str, kind: Kind, why: str) -> None:
        """Writes down that the mail with a link that was made has not left."""
        self._note("invitation_not_sent" if kind == "invitation" else "reset_not_sent", name, reason=why)

    def set_password(self, secret: str, kind: Kind, password: str) -> User | None:
        """Sets the password of the person whose link this is and signs them out everywhere; None: it does not hold."""
        user = find_link(self.session, secret, kind, self.wall.now())
        if user is None or not use_link(self.session, secret):
            return None
        set_password(user, password)
        end_sessions(self.session, user.name, self.wall.now())
        if kind == "reset":
            self._tell(user, "password")
        self.engine.note_in_journal(self.session, user.name, "password_changed", user.name, by=kind)
        return user

    def take_second_factor(self, name: str) -> bool:
        """Takes somebody's second factor and recovery codes away; whether there was one."""
        user = self._locked(name)
        if not remove_second_factor(self.session, name):
            return False
        self._tell(user, "factor")
        self._tell_owners(user, "factor")
        self._note("second_factor_off", name)
        return True

    def end_sessions(self, name: str) -> int:
        """Signs a person out everywhere; how many sessions that were."""
        self._locked(name)
        ended = end_sessions(self.session, name, self.wall.now())
        self._note("session_revoked", name, sessions_ended=ended)
        return ended

    def away(self, name: str, since: datetime | None, until: datetime | None, stand_in: str | None, *,
             keep_tasks: bool) -> User:
        """Writes down when somebody is away and who stands in; without `since` they are there. AccountError.

        The tasks they have claimed go back to their teams when the absence begins, now or later, unless `keep_tasks`.
        """
        user = self._locked(name)
        if until is not None and (since is None or until <= since):
            raise AccountError(_("The end lies before the beginning."), "until")
        if until is not None and until <= self.now:
            raise AccountError(_("This time is over already."), "until")
        if stand_in:
            other = self.session.get(User, stand_in)
            if other is None or not other.active or other.name == name:
                raise AccountError(_("Choose a colleague who works here."), "stand_in")
        before = absence(user)
        user.away_from, user.away_until, user.stand_in = since, until, (stand_in or None) if since else None
        user.releases_at = None if keep_tasks else since
        if user.releases_at is not None and is_away(user, self.now):
            user.releases_at = None
            self.engine.release_tasks(self.session, name, self.by, why=f"{user.display_name} is away.")
        if absence(user) != before:
            self._note("away", name, before=before, after=absence(user))
        return user

    # --- teams --------------------------------------------------------------------------------------------------------

    def add_team(self, key: str, title: str, roles: Collection[str]) -> None:
        """Makes a team. AccountError: the key is taken or malformed, the title is taken, a role does not exist."""
        there = all_teams(self.session)
        if not _TEAM_KEY.fullmatch(key):
            raise AccountError(_("Use small letters, digits and hyphens, a letter first."), "key")
        if key in there:
            raise AccountError(_("There is already a team %(key)s.", key=key), "key")
        row = TeamRow(key=key, title=self._title(title, key, there), roles=self._roles(roles), active=True, revision=1)
        self.session.add(row)
        self.session.flush()
        self._note("team_added", f"team:{key}", after={"title": row.title, "roles": row.roles})

    def change_team(
        self, key: str, *, title: str | None = None, roles: Collection[str] | None = None, active: bool | None = None
    ) -> None:
        """Changes a team. The roles of a shipped one stay, and it cannot be retired. AccountError."""
        there = all_teams(self.session)
        team = there.get(key)
        if team is None:
            raise AccountError(_("There is no team %(key)s.", key=key))
        before = _of_team(team)
        if title is not None:
            title = self._title(title, key, there)
        if team.shipped and (active is False or (roles is not None and set(roles) | {"staff"} != team.roles)):
            raise AccountError(_("This team comes with Waybill: its roles stay as they are, and it cannot be retired."))
        if active is False and team.active:
            self._check_unused(key)
        if roles is not None and not team.shipped and self._roles(roles) != before["roles"]:
            self._check_own_team(key)
        row = self.session.get(TeamRow, key, with_for_update=True)
        if row is None:  # a shipped one that was never changed
            row = TeamRow(key=key, title=team.title, roles=sorted(team.roles - {"staff"}), active=True, revision=0)
            self.session.add(row)
        row.title = title if title is not None else row.title
        row.roles = self._roles(roles) if roles is not None else row.roles
        row.active = active if active is not None else row.active
        after = {"title": row.title, "roles": row.roles, "active": row.active}
        changed = [field for field in before if before[field] != after[field]]
        if changed:
            row.revision += 1
            self.session.flush()
            self._require_administrator()
            self._note("team_changed", f"team:{key}", before={f: before[f] for f in changed},
                       after={f: after[f] for f in changed})

    # --- rules --------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.engine.clock.now()

    def _note(self, kind: str, subject: str, **parts: Any) -> None:
        """Writes the line of the journal: after everything else, since the journal is what is locked last."""
        self.engine.note_in_journal(self.session, self.by.name, kind, subject, **parts)

    def _tell(self, user: User, what: What, *, to: str | None = None) -> None:
        notice = notice_of(user, what, self.by, self.wall.now(), to=to)
        if notice is not None:
            self.notices.append(notice)

    def _tell_owners(self, user: User, what: Literal["address", "factor"]) -> None:
        if user.name != self.by.name and APPROVER in roles_of(user.teams, all_teams(self.session)):
            self.notices.extend(notices_of_signer(self.session, user, what, self.by, self.wall.now()))

    def _locked(self, name: str) -> User:
        user = self.session.get(User, name, with_for_update=True)
        if user is None:
            raise AccountError(_("There is no user %(name)s.", name=name))
        return user

    def _teams(self, teams: Collection[str]) -> list[str]:
        there = active_teams(self.session)
        unknown = sorted(set(teams) - set(there))
        if unknown:
            said = _("There is no team %(unknown)s. The teams are %(known)s.", unknown=", ".join(unknown),
                     known=", ".join(there))  # fmt: skip
            raise AccountError(said, "teams")
        if not teams:
            raise AccountError(_("Choose a team at least."), "teams")
        return sorted(set(teams))

    def _email(self, email: str | None, name: str) -> str | None:
        typed = (email or "").strip()
        if not typed:
            return None
        try:
            found = validate_email(typed[:300], check_deliverability=False, test_environment=True).normalized.lower()
        except EmailNotValidError as error:
            raise AccountError(_("This is no e-mail address: %(why)s", why=error), "email") from None
        taken = self.session.scalar(select(User.display_name).where(User.email == found, User.name != name))
        if taken is not None:
            raise AccountError(_("%(person)s has this e-mail address already.", person=taken), "email")
        return found

    def _roles(self, roles: Collection[str]) -> list[str]:
        unknown = sorted(set(roles) - set(ROLES))
        if unknown:
            raise AccountError(_("There is no role %(unknown)s.", unknown=", ".join(unknown)), "roles")
        return sorted(set(roles) - {"staff"})

    def _title(self, title: str, key: str, there: dict[str, Team]) -> str:
        shown = line(title, "title")
        if any(team.title.casefold() == shown.casefold() for team in there.values() if team.key != key):
            raise AccountError(_("Another team is called so already."), "title")
        return shown

    def _check_rights(self, user: User, changed: Collection[str]) -> None:
        """Nobody gives themselves rights or locks themselves out, and somebody can always give rights."""
        if user.name == self.by.name:
            field = "teams" if "teams" in changed else "active"
            raise AccountError(_("Your own teams and access are changed by another administrator."), field)
        self.session.flush()
        self._require_administrator()

    def _require_administrator(self) -> None:
        there = active_teams(self.session)
        active = self.session.scalars(select(User).where(User.active.is_(True)))
        if not any(ADMINISTRATOR in roles_of(user.teams, there) for user in active):
            raise AccountError(_("This is the last administrator. Make somebody else an administrator first."))

    def _check_own_team(self, key: str) -> None:
        me = self.session.get(User, self.by.name)
        if me is not None and key in me.teams:
            raise AccountError(_("The roles of your own team are changed by another administrator."), "roles")

    def _check_unused(self, key: str) -> None:
        of_it = [user.display_name for user in self.session.scalars(select(User)) if user.active and key in user.teams]
        if of_it:
            said = _("People are of this team: %(people)s. Give them another one first.", people=", ".join(of_it[:5]))
            raise AccountError(said)
        waiting = self.engine.open_tasks_of_team(self.session, key)
        if waiting:
            raise AccountError(_("Open tasks wait for this team: %(count)s. Have them done first.", count=waiting))


def line(text: str, field: str) -> str:
    """A line that people read, for a field. AccountError."""
    shown = " ".join(text.split())
    if not shown:
        raise AccountError(_(_EMPTY[field]), field)
    if len(shown) > LONGEST_NAME or not shown.isprintable():
        raise AccountError(_(_TOO_LONG[field], most=LONGEST_NAME), field)
    return shown


def rights(user: User) -> dict[str, Any]:
    """What the journal keeps of a person."""
    return {"display_name": user.display_name, "email": user.email, "teams": list(user.teams), "active": user.active}


def absence(user: User) -> dict[str, Any]:
    """When somebody is away, as the journal keeps it."""
    return {
        "from": user.away_from.isoformat() if user.away_from else None,
        "until": user.away_until.isoformat() if user.away_until else None, "stand_in": user.stand_in,
    }  # fmt: skip


def _of_team(team: Team) -> dict[str, Any]:
    return {"title": team.title, "roles": sorted(team.roles - {"staff"}), "active": team.active}

