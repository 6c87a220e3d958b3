"""`waybill processes`: check, deploy, list, export."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from app import BUNDLE, build
from cli.installation import installation
from cli.operations import OPERATOR
from engine import Bundle
from engine.errors import CannotDeploy, Finding
from engine.lint import placed
from settings import load

MAX_FILE = 5 * 1024 * 1024
"""Bytes of one file of a bundle."""


@click.group()
def processes() -> None:
    """Diagrams, decision tables and forms."""


@processes.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Say whether files can be deployed: exit 0 yes, 1 no.

    A diagram alone is checked together with the forms, tables and further diagrams of this installation.
    """
    bundle = with_rest(files)
    parts = build(load())
    findings = parts.engine.check(bundle)
    report(findings, as_json=as_json)
    sys.exit(1 if any(finding.severity == "error" for finding in findings) else 0)


@processes.command("deploy")
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--reason", default="", help="Why; kept with the version.")
def deploy(files: tuple[Path, ...], reason: str) -> None:
    """Deploy files on top of this installation's folder, or the folder itself."""
    with installation() as parts:
        try:
            for version in parts.engine.deploy(with_rest(files), OPERATOR, reason=reason):
                click.echo(f"{version.key}: version {version.version} ({version.content_hash[:12]}).")
        except CannotDeploy as refused:
            report(refused.findings, as_json=False)
            sys.exit(1)


@processes.command("list")
def list_versions() -> None:
    """List the deployed versions, newest first."""
    with installation() as parts:
        for v in parts.engine.versions():
            base = f" on {v.base_version}" if v.base_version else ""
            when = f"{v.deployed_at:%Y-%m-%d %H:%M} UTC"
            click.echo(f"{v.key}  version {v.version}{base}  {v.content_hash[:12]}  {when}  {v.deployed_by}  "
                       f"{v.open_instances} open  {v.reason}".rstrip())


@processes.command("export")
@click.argument("key")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--version", type=int, help="The newest if left out.")
def export(key: str, folder: Path, version: int | None) -> None:
    """Write the files of a deployed version into a folder."""
    with installation() as parts:
        wanted = version or max((v.version for v in parts.engine.versions(key)), default=0)
        bundle = parts.engine.bundle(key, wanted)
    for name, data in bundle.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    click.echo(f"{len(bundle.files)} files of {key} version {wanted} are in {folder}.")


def with_rest(files: Iterable[Path]) -> Bundle:
    """The given files (folders: what is in them) in place of those of the installation's folder."""
    found = {name.rpartition("/")[2]: data for name, data in Bundle.from_folders(*BUNDLE).files.items()}
    for path in files:
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inside:
            if file.suffix in (".bpmn", ".dmn", ".json", ".xml") or not path.is_dir():
                found[file.name] = _read(file)
    return Bundle(placed(found))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)  # one byte more than allowed: the linter says that it is too large


def report(findings: Iterable[Finding], *, as_json: bool) -> None:
    """Prints findings for a person or for a program."""
    listed = list(findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in listed], indent=2))
        return
    for finding in listed:
        click.echo(f"{finding.severity}: {finding} [{finding.rule}]")
    errors = sum(finding.severity == "error" for finding in listed)
    click.echo(f"{errors} errors, {len(listed) - errors} warnings." if listed else "No problem was found.")
