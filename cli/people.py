"""`waybill users` and `waybill token`: who may work here."""

from __future__ import annotations

import sys

import click

from cli.installation import installation
from engine import SYSTEM
from handlers.contract import SystemClock
from web import accounts
from web.accounts.administration import Administration
from web.accounts.letters import Letters
from web.accounts.passwords import SHORTEST_GIVEN, password_fault

LONGEST_LABEL = 80


@click.group()
def users() -> None:
    """People and their teams."""


@users.command("add")
@click.argument("name")
@click.option("--display-name", default="", help="How pages name the person; the user name if left out.")
@click.option("--team", "teams", multiple=True, required=True, help="A team; may be given several times.")
@click.option("--email", help="Where mails about work go. Without --password an invitation goes there.")
@click.option("--password", help="When left out: an invitation where there is --email; else it is asked for, or read "
              "from standard input where nobody can be asked.")
def add(name: str, display_name: str, teams: tuple[str, ...], email: str | None, password: str | None) -> None:
    """Add a person."""
    invited = bool(email) and password is None
    secret = None if invited else _asked_password() if password is None else password
    with installation() as parts:
        if secret is not None:
            fault = password_fault(secret, name, demo=parts.settings.demo, shortest=SHORTEST_GIVEN)
            if fault:
                raise accounts.AccountError(fault)
        with parts.engine.transaction() as session:
            Administration(parts.engine, session, SYSTEM).add(
                name, display_name or name, teams, email=email, password=secret
            )
        if not invited:
            click.echo(f"{name} can sign in.")
            return
        address, failed = Letters(parts.engine, parts.ports, SYSTEM, SystemClock()).send(name, "invitation")
    if failed:
        raise accounts.AccountError(
            f"{name} is added, but the mail to {address} could not be sent: {failed} Send the invitation again from "
            "the person's page."
        )
    click.echo(f"{name} is invited: a mail with a link was sent to {address}.")


def _asked_password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@users.command("list")
def list_users() -> None:
    """List everybody and their teams."""
    with installation() as parts, parts.engine.reading() as session:
        everybody = accounts.users(session)
        if not everybody:
            click.echo("Nobody has an account yet. Add somebody: waybill users add NAME --team TEAM", err=True)
        for user in everybody:
            state = "" if user.active else "  (not active)"
            click.echo(f"{user.name}  {user.display_name}  {', '.join(user.teams)}{state}")


@click.group()
def token() -> None:
    """Bearer tokens for the API."""


@token.command("create")
@click.option("--user", required=True, help="Whom the token acts as.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(list(accounts.SCOPES)), default=("all",),
              show_default=True, help="What it may be used for; may be given several times.")
@click.option("--days", type=int, default=accounts.USUAL_DAYS, show_default=True, help="How long it lasts.")
@click.option("--label", default="", help="What it is for, as lists show it.")
def create(user: str, scopes: tuple[str, ...], days: int, label: str) -> None:
    """Print a new bearer token and nothing else. It is shown once."""
    shown = " ".join(label.split())
    if len(shown) > LONGEST_LABEL or not shown.isprintable():
        raise accounts.AccountError(f"A label is a line of at most {LONGEST_LABEL} characters.")
    with installation() as parts, parts.engine.transaction() as session:
        made = accounts.create_token(session, user, SystemClock().now(), label=shown, scopes=scopes, days=days)
        parts.engine.note_in_journal(
            session, SYSTEM.name, "token_created", user, label=shown, scopes=list(scopes), days=days
        )
    click.echo(made)


@token.command("list")
@click.option("--user", help="Only the tokens of this person.")
def list_tokens(user: str | None) -> None:
    """List the tokens: id, user, scopes, until when, when it was used last, label. Times are UTC."""
    now = SystemClock().now()
    with installation() as parts, parts.engine.reading() as session:
        for one in accounts.tokens_of(session, user):
            ends = f"until {one.expires_at:%Y-%m-%d}" if one.expires_at > now else f"ended {one.expires_at:%Y-%m-%d}"
            state = f"revoked {one.revoked_at:%Y-%m-%d}" if one.revoked_at else ends
            used = f"used {one.last_used_at:%Y-%m-%d %H:%M}" if one.last_used_at else "never used"
            click.echo(f"{one.id}  {one.user}  {', '.join(one.scopes)}  {state}  {used}  {one.label}".rstrip())


@token.command("revoke")
@click.argument("token_id", metavar="ID")
def revoke(token_id: str) -> None:
    """End a token at once. Its id is the first word of `waybill token list`."""
    with installation() as parts, parts.engine.transaction() as session:
        found = next((one for one in accounts.tokens_of(session) if one.id == token_id), None)
        label = accounts.revoke_token(session, token_id, SystemClock().now())
        if found is None or label is None:
            raise accounts.AccountError(f"There is no token {token_id} that works. See them with: waybill token list")
        parts.engine.note_in_journal(session, SYSTEM.name, "token_revoked", found.user, label=label, token=token_id)
    click.echo(f"The token of {found.user} works no longer.")
