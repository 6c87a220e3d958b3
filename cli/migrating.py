"""`waybill processes migrate`: live orders move to a version; what would become of them; how far they are."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cli.installation import installation
from cli.operations import OPERATOR

if TYPE_CHECKING:
    from engine import Engine
    from engine.impact import Impact
    from engine.migration import MigrationView, MoveView

HEADINGS = {"moves": "find a change ahead", "stays": "go on as they are",
            "form_changes": "have an open task that changes",
            "lacks": "would lack what is read later", "cannot": "cannot move"}
LOOK_SECONDS = 0.5
AT_ONCE = 20
"""Moves that are taken up together: few enough to be done long before their lease ends."""


@click.command("migrate")
@click.argument("key")
@click.option("--to", "version", type=int, required=True, help="The number of the version that they go to.")
@click.option("--reason", default="", help="Why; kept in the history of every order.")
@click.option("--order", "orders", multiple=True, help="Only this order; can be given more than once.")
@click.option("--dry-run", is_flag=True, help="Only say what would become of the live orders.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--no-work", is_flag=True, help="Leave the moving to the workers that run elsewhere, and do not wait.")
def migrate(
    key: str, version: int, reason: str, orders: tuple[str, ...], dry_run: bool, as_json: bool, no_work: bool
) -> None:
    """Move the live orders of process KEY to another version.

    Exit 0: every order has moved, or had no need to; 3: some were refused, each named with what stops it.
    """
    with installation() as parts:
        engine = parts.engine
        if dry_run:
            _tell_impact(engine.impact(key, version), as_json=as_json)
            return
        begun = engine.migrate(key, version, OPERATOR, reason=reason, orders=orders or None)
        if no_work:
            click.echo(f"Migration {begun.id}: {begun.waiting} orders wait to be moved to version {version}.")
            return
        _tell(engine, _work(engine, begun, quiet=as_json), as_json=as_json)


def _work(engine: Engine, begun: MigrationView, *, quiet: bool) -> MigrationView:
    """Moves, beside the workers that run, until every order has its result."""
    view = begun
    with click.progressbar(length=begun.total, label="Moving", hidden=quiet) as bar:
        bar.update(begun.done)
        while view.waiting:
            claims = [engine.claim_job(job_id) for job_id in engine.waiting_moves(begun.id, limit=AT_ONCE)]
            for claim in claims:
                if claim is not None:
                    engine.run_job(claim)
            before, view = view, engine.migration(begun.id, limit=1)
            bar.update(view.done - before.done)
            if not any(claims) and view.waiting:
                time.sleep(LOOK_SECONDS)
    return view


def _tell(engine: Engine, view: MigrationView, *, as_json: bool) -> None:
    refused: list[MoveView] = []
    cursor: str | None = None
    while view.refused:
        page = engine.migration(view.id, state="refused", limit=1000, cursor=cursor).items
        refused += page.items
        if (cursor := page.next) is None:
            break
    if as_json:
        click.echo(json.dumps({"id": view.id, "moved": view.moved, "stays": view.stays, "refused": [
            {"order": item.order, "why": item.why} for item in refused]}, indent=2))
    else:
        click.echo(f"Migration {view.id} to version {view.to_version}: {view.moved} moved, {view.stays} stay, "
                   f"{view.refused} refused.")
        for item in refused:
            click.echo(f"{item.order}: {item.why}")
    sys.exit(3 if refused else 0)


def _tell_impact(impact: Impact, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(impact), indent=2))
        return
    for group in impact.groups:
        name = f" ({group.name})" if group.name and group.kind != "cannot" else ""
        click.echo(f"{group.count:>6}  {HEADINGS[group.kind]}{name}: {group.why}")
        if group.kind == "cannot":
            more = f" and {group.count - len(group.orders)} more" if group.count > len(group.orders) else ""
            click.echo(f"        {', '.join(group.orders)}{more}")
    click.echo(f"{impact.total:>6}  live orders, {impact.can_move} of them can move; worked out in "
               f"{impact.seconds:.1f} s")
