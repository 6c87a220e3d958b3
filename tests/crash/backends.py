"""The kinds of installation that a run can have: which database, and whether a broker wakes the workers."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.crash.broker import Broker, broker

POSTGRES = os.environ.get("WAYBILL_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
BACKENDS = ("sqlite", "postgres", "celery")


class NotThere(Exception):
    """The server that a backend needs does not answer."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What makes an installation one of this kind."""

    variables: Mapping[str, str]
    broker: Broker | None = None


@contextmanager
def backend(name: str) -> Iterator[Backend]:
    """One of `BACKENDS`, for one run; what it needs on a server is removed at the end. NotThere."""
    if name == "sqlite":
        yield Backend({})
        return
    with _postgres() as url:
        if name == "postgres":
            yield Backend({"WAYBILL_DATABASE_URL": url})
            return
        try:
            with broker() as found:
                yield Backend({"WAYBILL_DATABASE_URL": url, "WAYBILL_BROKER_URL": found.url}, found)
        except ConnectionError as error:
            raise NotThere(str(error)) from error


@contextmanager
def _postgres() -> Iterator[str]:
    """A database of its own."""
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    name = f"waybill_crash_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError as error:
        raise NotThere(f"no PostgreSQL answers at {make_url(POSTGRES).host}") from error
    try:
        yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()
