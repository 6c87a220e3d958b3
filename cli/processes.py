"""`waybill processes`: check, deploy, list, consent, export."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app import BUNDLE
from cli.checking import check, report, with_rest
from cli.comparing import diff
from cli.installation import installation
from cli.migrating import migrate
from cli.operations import OPERATOR
from engine import Bundle, Engine
from engine.bundling import drawn
from engine.errors import CannotDeploy, Conflict, NotFound
from engine.folders import built_on, put, write
from engine.views import VersionView


@click.group()
def processes() -> None:
    """Diagrams, decision tables and forms."""


processes.add_command(check)
processes.add_command(diff)
processes.add_command(migrate)


@processes.command("deploy")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--reason", default="", help="Why; kept with the version.")
def deploy(files: tuple[Path, ...], reason: str) -> None:
    """Deploy files on top of this installation's folder, or the folder itself."""
    bundle, unread = with_rest(files)
    with installation(reason="" if files else reason) as parts:
        try:
            if unread:
                raise CannotDeploy(unread)
            for version in parts.engine.deploy(bundle, OPERATOR, reason=reason, built_on=built_on(BUNDLE[0])):
                click.echo(f"{version.key}: version {version.version} ({version.content_hash[:12]}).")
        except CannotDeploy as refused:
            report(refused.findings, as_json=False)
            sys.exit(1)


@processes.command("list")
def list_versions() -> None:
    """List the versions, newest first, also those that wait for consent or were returned."""
    with installation() as parts:
        for v in parts.engine.versions():
            base = f" on {v.base_version}" if v.base_version else ""
            when = f"{v.deployed_at:%Y-%m-%d %H:%M} UTC"
            by = f"{v.deployed_by}, consent by {v.consented_by}" if v.consented_by else v.deployed_by
            click.echo(f"{v.key}  version {v.version}{base}  {v.content_hash[:12]}  {when}  {by}  {_state(v)}  "
                       f"{v.reason}".rstrip())


def _state(v: VersionView) -> str:
    if v.state == "awaiting_consent":
        return "waits for consent"
    return f"{v.open_instances} open" if v.state == "deployed" else f"returned by {v.answered_by}: {v.answer}"


@processes.command("consent")
@click.argument("key")
@click.argument("version", type=int)
@click.option("--comment", default="", help="Kept with the version.")
def consent(key: str, version: int, comment: str) -> None:
    """Consent to a version that waits, and so deploy it."""
    with installation() as parts:
        try:
            found = parts.engine.consent(key, version, OPERATOR, comment)
        except CannotDeploy as refused:
            report(refused.findings, as_json=False)
            sys.exit(1)
        click.echo(f"{found.key}: version {found.version} is deployed.")


@processes.command("export")
@click.argument("key")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--version", type=int, help="The newest if left out.")
@click.option("--overwrite", is_flag=True, help="Without FOLDER: also over changes that were never deployed.")
def export(key: str, folder: Path | None, version: int | None, overwrite: bool) -> None:
    """Write the files of a version into a folder.

    Without FOLDER into this installation's own folders. They hold exactly the newest version then: files that it does
    not have are removed, and the next start deploys nothing.
    """
    with installation() as parts:
        newest = next((v.version for v in parts.engine.versions(key) if v.state == "deployed"), None)
        if newest is None:
            raise NotFound(f"No process {key} is deployed. See them with: waybill processes list")
        wanted = newest if version is None else version
        bundle = parts.engine.bundle(key, wanted)
        if folder is None and wanted != newest:
            raise click.UsageError("This installation's folders hold the newest version. Name a folder for another.")
        if folder is None:
            _refuse_loss(parts.engine, key, overwrite=overwrite)
    removed = put(bundle, *BUNDLE) if folder is None else write(bundle, folder)
    where = folder or " and ".join(str(one) for one in BUNDLE)
    click.echo(f"{len(bundle.files)} files of {key} version {wanted} are in {where}.")
    for name in removed:
        click.echo(f"{name} was removed.")


def _refuse_loss(engine: Engine, key: str, *, overwrite: bool) -> None:
    """Conflict when the installation's folders hold what would be lost: another process, or changes of their own."""
    inside = Bundle.from_folders(*BUNDLE)
    processes = {one.id for file, data in inside.files.items() for one in drawn(file, data)}
    if processes and key not in processes:
        raise Conflict(f"This installation's folders hold {', '.join(sorted(processes))} and not {key}. Name a folder.")
    deployed = {v.content_hash for v in engine.versions() if v.state == "deployed"}
    if inside.files and inside.content_hash not in deployed and not overwrite:
        raise Conflict("This installation's folders hold changes that were never deployed, and they would be lost. "
                       "Keep the changed files elsewhere, then give --overwrite.")
