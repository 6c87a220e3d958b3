"""`waybill users` and `waybill token`: who may work here."""

from __future__ import annotations

import click

from cli.installation import installation
from web import accounts


@click.group()
def users() -> None:
    """People and their teams."""


@users.command("add")
@click.argument("name")
@click.option("--display-name", default="", help="How pages name the person; the user name if left out.")
@click.option("--team", "teams", multiple=True, required=True, help="A team; may be given several times.")
@click.password_option(help="Asked for when left out.")
def add(name: str, display_name: str, teams: tuple[str, ...], password: str) -> None:
    """Add a person."""
    with installation() as parts, parts.engine.transaction() as session:
        accounts.add_user(session, name, display_name or name, password, teams)
    click.echo(f"{name} can sign in.")


@users.command("list")
def list_users() -> None:
    """List everybody and their teams."""
    with installation() as parts, parts.engine.reading() as session:
        for user in accounts.users(session):
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
