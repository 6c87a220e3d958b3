"""What a trouble of the database itself is, on both databases: full, read-only, busy, away, damaged.

A trouble is nobody's fault who works on an order: no operation's, no job's, no person's. Whoever meets one changes
nothing, counts no attempt, and tries again later. Every other error of a statement is the fault of who gave it.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from engine.errors import DatabaseTrouble

_SENTENCES = {
    "full": "The disk that holds the database is full, so nothing can be saved. Free some space, then try again.",
    "read_only": "The database can only be read at the moment, so nothing can be saved. Make it writable, or wait "
                 "until it is, then try again.",
    "busy": "The database is busy with other work. Try again in a moment.",
    "crowded": "The database takes no more connections at the moment. Try again in a moment.",
    "away": "The database does not answer. Try again in a moment; if that does not help, look at its server and at "
            "WAYBILL_DATABASE_URL.",
    "damaged": "The database cannot be used: its file is damaged or is none. Look at WAYBILL_DATABASE_URL, or restore "
               "a backup.",
    "refused": "The database cannot be opened. Look at WAYBILL_DATABASE_URL; without it, the database is waybill.db "
               "in WAYBILL_VAR.",
}
_WAIT = {"full": 60, "read_only": 30, "busy": 2, "crowded": 5, "away": 5, "damaged": 300, "refused": 60}
"""Seconds after which it is worth to ask again."""

_SQLITE = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_PROTOCOL: "busy",
    sqlite3.SQLITE_IOERR: "away",
    sqlite3.SQLITE_CANTOPEN: "refused",
    sqlite3.SQLITE_PERM: "refused",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}
_POSTGRES = {
    "53100": "full",
    "53200": "busy",  # out of memory
    "53300": "crowded",
    "25006": "read_only",
    "40001": "busy",  # another transaction was faster
    "40P01": "busy",  # deadlock: the server ended one of the two
    "55P03": "busy",  # lock not available
    "57014": "busy",  # the server's own time limit
    "3D000": "refused",
    "XX001": "damaged",
    "XX002": "damaged",
}
_NO_ROOM = ("too many connections", "too many clients", "connection slots are reserved")
_POSTGRES_CLASSES = {"08": "away", "28": "refused", "53": "busy", "57": "away", "58": "away"}


def trouble_of(error: BaseException) -> DatabaseTrouble | None:
    """The trouble that an error of SQLAlchemy stands for, or None when the statement itself was wrong."""
    kind = _kind(error)
    if kind is None:
        return None
    orig = getattr(error, "orig", None) or error
    cause = next(iter(str(orig).strip().splitlines()), "") or type(orig).__name__
    return DatabaseTrouble(_SENTENCES[kind], kind=kind, cause=cause, retry_after=_WAIT[kind])


def at_commit(trouble: DatabaseTrouble) -> DatabaseTrouble:
    """The same trouble, met while a transaction was committed: if nobody answered, nobody knows what became of it."""
    return DatabaseTrouble(trouble.sentence, kind=trouble.kind, cause=trouble.cause, retry_after=trouble.retry_after,
                           known=trouble.kind != "away")


def _kind(error: BaseException) -> str | None:
    if isinstance(error, NoConnectionFree):
        return "crowded"
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", None)
        return None if code is None else _SQLITE.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return _POSTGRES.get(state) or _POSTGRES_CLASSES.get(state[:2])
    # a connection that could not be made or has broken has no code, only words
    if any(words in str(error.orig) for words in _NO_ROOM):
        return "crowded"
    return "away" if error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError)) else None
