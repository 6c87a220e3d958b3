"""Two writers at the same moment, told apart without an error: rows that are written once, and keys that are held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


def insert_once(session: Session, model: type[DeclarativeBase], row: Mapping[str, Any]) -> bool:
    """Inserts a row; False when one with the same unique values is there already.

    Waits for another transaction that is just inserting the same. Nothing fails and nothing stands in the database's
    log.
    """
    insert = sqlite.insert if _is_sqlite(session) else postgresql.insert
    statement = insert(model.__table__).values(**row).on_conflict_do_nothing()  # type: ignore[arg-type]
    return session.execute(statement.returning(literal(1))).first() is not None


def hold_key(session: Session, key: str) -> bool:
    """Lets no other transaction hold the same key until this one ends. False where only one writes at a time anyway."""
    if _is_sqlite(session):
        return False
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    return True


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
