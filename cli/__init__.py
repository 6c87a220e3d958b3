"""The command line `waybill`. One file a group of commands; each opens the installation that the environment names."""

from __future__ import annotations

import errno
import sys

import click

from cli import audit, backup, demo, files, operations, people, processes, serve
from engine.errors import DatabaseTrouble
from handlers.contract import WaybillError


class _Group(click.Group):
    """Turns every error that has a cause outside the program into one clear line."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DatabaseTrouble as trouble:
            click.echo(f"{trouble} ({trouble.cause})", err=True)
        except WaybillError as error:
            click.echo(str(error), err=True)
        except OSError as error:
            if error.errno == errno.EPIPE or error.strerror is None:
                raise
            click.echo(f"{error.filename or 'A file'} cannot be used: {error.strerror}.", err=True)
        sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="waybill")
def main() -> None:
    """Runs a company's order fulfilment as a BPMN diagram.

    Where it runs and on what is told by the environment: WAYBILL_VAR (data folder), WAYBILL_DATABASE_URL, PORT, …
    """


for command in (
    serve.run, serve.web, serve.worker, demo.demo, operations.db, processes.processes, files.catalogue, files.orders,
    people.users, people.token, operations.jobs, audit.audit, backup.backup,
    backup.restore,
):
    main.add_command(command)
