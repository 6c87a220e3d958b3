"""`waybill users` and `waybill token`: who may work here."""

from __future__ import annotations

import sys

import click

from cli.installation import installation
from web import accounts

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1000
LONGEST_DISPLAY_NAME = 120


@click.group()
def users() -> None:
    """People and their teams."""


@users.command("add")
@click.argument("name")
@click.option("--display-name", default="", help="How pages name the person; the user name if left out.")
@click.option("--team", "teams", multiple=True, required=True, help="A team; may be given several times.")
@click.option("--password", help="Asked for when left out; read from standard input where nobody can be asked.")
def add(name: str, display_name: str, teams: tuple[str, ...], password: str | None) -> None:
    """Add a person."""
    shown = " ".join(display_name.split())
    if len(shown) > LONGEST_DISPLAY_NAME or not shown.isprintable():
        raise accounts.AccountError(f"A display name is a line of at most {LONGEST_DISPLAY_NAME} characters.")
    secret = _asked_password() if password is None else password
    if not secret.isprintable():
        raise accounts.AccountError("The password has characters that cannot be typed. Choose another.")
    with installation() as parts, parts.engine.transaction() as session:
        if not parts.settings.demo:  # the demo's own passwords are public anyway
            _refuse_weak(name, secret)
        accounts.add_user(session, name, shown or name, secret, teams)
    click.echo(f"{name} can sign in.")


def _asked_password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _refuse_weak(name: str, password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise accounts.AccountError(
            f"The password has {len(password)} characters; give {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}: --password …"
        )
    if password.lower() == name.lower():
        raise accounts.AccountError("The password is the user name. Choose another.")


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
def create(user: str) -> None:
    """Print a new bearer token and nothing else. It is shown once."""
    with installation() as parts, parts.engine.transaction() as session:
        made = accounts.create_token(session, user, parts.clock.now())
    click.echo(made)
