"""Alembic's entry: runs the migrations on the database that `migrations.upgrade` gives it."""

from __future__ import annotations

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import text

from engine.store.database import Database
from handlers.contract import UtcTime
from migrations import METADATA


def render(kind: str, thing: object, _context: AutogenContext) -> str | bool:
    """Writes our time type as what it is in the database, so that a migration needs none of our code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(thing, UtcTime) else False


database: Database = context.config.attributes["database"]

with database.engine.connect() as connection:
    if database.is_sqlite:
        # SQLite changes a table by writing it anew; rows that refer to it must not mind. Outside of a transaction only.
        connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
    else:
        # two processes that upgrade at once wait for each other
        connection.execute(text("SELECT pg_advisory_lock(7261904)"))
    context.configure(
        connection=connection,
        target_metadata=list(METADATA),
        render_as_batch=database.is_sqlite,
        compare_type=True,
        render_item=render,
        # SQLite can take back changes of tables too. All migrations are one transaction, its lock is taken first: two
        # processes that upgrade at once wait for each other
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
        if database.is_sqlite and (orphans := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            raise RuntimeError(f"A migration would leave rows that refer to nothing: {orphans[:3]}")
    connection.commit()
    if database.is_sqlite:
        connection.connection.cursor().execute("PRAGMA foreign_keys=ON")
    else:
        connection.execute(text("SELECT pg_advisory_unlock(7261904)"))
        connection.commit()
