"""`waybill db`, `jobs`: looking after an installation."""

from __future__ import annotations

import json

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
@click.option("--state", default="dead",
              type=click.Choice(["ready", "leased", "done", "dead", "withdrawn", "resolved"]),
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


@jobs.command("incidents")
def list_incidents() -> None:
    """List open incidents by cause, the cause that stops most orders first."""
    with installation() as parts:
        found = parts.engine.incidents()
    if not found:
        click.echo("There are no incidents.", err=True)
    for one in found:
        orders = f"{one.orders} order{'' if one.orders == 1 else 's'}"
        click.echo(f"{one.count} × {one.cause}  {orders}, since {one.oldest:%Y-%m-%d %H:%M} UTC")


@jobs.command("retry")
@click.argument("job_id", required=False)
@click.option("--all", "every", is_flag=True, help="Every incident.")
@click.option("--cause", help="With --all: only those whose cause (see `jobs incidents`) holds this text.")
def retry(job_id: str | None, every: bool, cause: str | None) -> None:
    """Put an incident, or all of them, back to work, with the same keys."""
    if (job_id is None) != every or (cause is not None and not every):
        raise click.UsageError("Give the id of one job, or --all, perhaps with --cause TEXT.")
    with installation() as parts:
        if job_id is not None:
            job = parts.engine.retry(job_id, OPERATOR)
            click.echo(f"{job.order}: {job.operation or job.kind} will be tried again.")
            return
        for incident in parts.engine.incidents():
            if cause is None or cause.lower() in incident.cause.lower():
                tried = parts.engine.retry_all(OPERATOR, cause=incident.cause, most=incident.count)
                click.echo(f"{sum(one.problem is None for one in tried)} × {incident.cause} will be tried again.")


@jobs.command("resolve")
@click.argument("job_id")
@click.option("--reason", required=True, help="What was done instead; it is kept in the history.")
@click.option("--result", help="A JSON object: the result with which a waiting order goes on.")
def resolve(job_id: str, reason: str, result: str | None) -> None:
    """End an incident because its work was done by hand, or need not be done."""
    try:
        given = json.loads(result) if result is not None else None
    except ValueError as error:
        raise click.UsageError(f"--result is not JSON: {error}.") from error
    with installation() as parts:
        job = parts.engine.resolve(job_id, OPERATOR, reason, given)
        click.echo(f"{job.order}: {job.operation or job.kind} is resolved by hand.")
