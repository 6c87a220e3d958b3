"""`waybill processes diff`: what one version has otherwise than another."""

from __future__ import annotations

import click

from cli.installation import installation


@click.command("diff")
@click.argument("key")
@click.argument("old", type=click.IntRange(min=1), metavar="FROM")
@click.argument("new", type=click.IntRange(min=1), metavar="TO")
def diff(key: str, old: int, new: int) -> None:
    """Say in words what version TO of a process has otherwise than version FROM."""
    with installation() as parts:
        found = parts.engine.difference(key, old, new)
    for line in found.lines():
        click.echo(line)
    if found.is_empty:
        click.echo("Nothing changes but the writing.")
    click.echo(f"Steps and gates: {found.steps.now} and {found.steps.gates_now}, {found.steps.words}.")
