"""Brings a database's tables up to date (alembic), and tells when they are not."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

from engine.errors import DatabaseAhead, DatabaseBehind
from engine.store.database import Database
from engine.store.tables import Base as EngineTables
from handlers.tables import Base as ShopTables
from web.accounts import Base as AccountTables

METADATA: tuple[MetaData, ...] = (EngineTables.metadata, ShopTables.metadata, AccountTables.metadata)
"""Every table of an installation."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def upgrade(database: Database) -> None:
    """Runs every migration that this database has not seen. Safe to run again, and by several processes at once.

    DatabaseAhead when a newer program has been here.
    """
    found = current(database)
    if found == head():
        return
    _require_known(found)
    config = _config()
    config.attributes["database"] = database
    command.upgrade(config, "head")


def head() -> str | None:
    """The newest migration this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current(database: Database) -> str | None:
    """The migration the database stands at; None when it is empty."""
    with database.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def known() -> tuple[str, ...]:
    """Every revision this program knows, the oldest first."""
    return tuple(script.revision for script in reversed([*ScriptDirectory.from_config(_config()).walk_revisions()]))


def require_current(database: Database) -> None:
    """DatabaseBehind or DatabaseAhead when the tables are not those of this program."""
    found = current(database)
    _require_known(found)
    if found != head():
        raise DatabaseBehind("The database's tables are not up to date. Run `waybill db upgrade`, then start again.")


def _require_known(revision: str | None) -> None:
    if revision is not None and revision not in known():
        raise DatabaseAhead(
            f"The database was used by a newer Waybill (tables {revision}; this one knows up to {head()}). Install "
            "that version, or restore an older backup."
        )
