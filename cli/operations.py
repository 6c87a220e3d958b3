"""`waybill db`, `jobs`, `audit`: looking after an installation."""

from __future__ import annotations

import sys

import click

import migrations
from app import build
from cli.installation import installation
from engine.views import Actor
from settings import load

OPERATOR = Actor("command line", sees_all=True)
"""Who the history names for commands given on the server."""


@click.group()
def db() -> None:
    """The database's tables."""


@db.command("upgrade")
def upgrade() -> None:
    """Bring the tables up to date; safe to run again."""
    parts = build(load())
    try:
        parts.settings.var.mkdir(parents=True, exist_ok=True)
        migrations.upgrade(parts.database)
        click.echo(f"The tables are up to date ({migrations.head()}).")
    finally:
        parts.database.dispose()


@click.group()
def jobs() -> None:
    """Work in the background; dead jobs are incidents."""


@jobs.command("list")
@click.option("--state", type=click.Choice(["ready", "leased", "done", "dead", "withdrawn"]), default="dead",
              show_default=True)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def list_jobs(state: str, limit: int) -> None:
    """List jobs of one state, the ones changed last first."""
    with installation() as parts:
        found = parts.engine.jobs(state=state, limit=limit).items  # type: ignore[arg-type]
        if not found:
            click.echo(f"There are no {state} jobs.", err=True)
        for job in found:
            what = job.operation or job.kind
            click.echo(f"{job.id}  {job.order}  {what}  {job.attempts} attempts  {job.error or ''}".rstrip())


@jobs.command("retry")
@click.argument("job_id")
def retry(job_id: str) -> None:
    """Put an incident back to work, with the same key."""
    with installation() as parts:
        job = parts.engine.retry(job_id, OPERATOR)
        click.echo(f"{job.order}: {job.operation or job.kind} will be tried again.")


@click.group()
def audit() -> None:
    """The history's chain of hashes."""


@audit.command("verify")
@click.argument("order", required=False)
def verify(order: str | None) -> None:
    """Check that no line of the history was changed, removed, inserted or moved."""
    with installation() as parts:
        faults = parts.engine.verify_audit(order)
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        sys.exit(1)
    click.echo(f"The history of {order or 'every order'} is unbroken.")
