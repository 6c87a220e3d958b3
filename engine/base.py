"""What every part of the engine works with: database, registry, clock, definitions, and how a transaction is opened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.codec import SharedSpecCodec, StateCodec
from engine.definitions import Bundle, Definition, Element, build_definition
from engine.errors import NotFound
from engine.operations import MAY_START_OVER, StartOver
from engine.store.database import Database
from engine.store.tables import ProcessVersion
from engine.views import Actor
from handlers.contract import Clock, Registry

if TYPE_CHECKING:
    from engine.unit import Unit

T = TypeVar("T")


_DUE = "due jobs"


def note_due(session: Session, job_ids: Sequence[str]) -> None:
    """Notes jobs that workers are told of as soon as this transaction is committed."""
    session.info.setdefault(_DUE, []).extend(job_ids)


class Library:
    """The parsed versions, each parsed once in this process and shared by all its instances."""

    def __init__(self) -> None:
        self._by_id: dict[int, Definition] = {}
        self._lock = threading.Lock()

    def copy(self) -> Library:
        """Another library that knows the same versions; what it reads later stays its own."""
        other = Library()
        other._by_id.update(self._by_id)
        return other

    def get(self, session: Session, version_id: int) -> Definition:
        found = self._by_id.get(version_id)
        if found is None:
            with self._lock:
                found = self._by_id.get(version_id) or self._load(session, version_id)
        return found

    def _load(self, session: Session, version_id: int) -> Definition:
        row = session.get(ProcessVersion, version_id)
        if row is None:
            raise NotFound(f"Process version {version_id} is not in the database.")
        definition = build_definition(row.id, row.key, row.version, Bundle.unpack(row.bundle))
        self._by_id[version_id] = definition
        return definition

    def newest(self, session: Session, key: str) -> Definition:
        """The newest deployed version of a process; one that waits for consent or was returned never runs."""
        statement = (
            select(ProcessVersion.id)
            .where(ProcessVersion.key == key, ProcessVersion.state == "deployed")
            .order_by(ProcessVersion.version.desc())
            .limit(1)
        )
        version_id = session.execute(statement).scalar_one_or_none()
        if version_id is None:
            raise NotFound(f"No process {key!r} is deployed.")
        return self.get(session, version_id)


class EngineBase:
    """The parts that all commands and reads share."""

    def __init__(
        self, database: Database, registry: Registry, clock: Clock, *, codec: StateCodec | None = None,
        consent_needed: bool = True,
    ) -> None:
        self.database = database
        self.registry = registry
        self.clock = clock
        self.codec: StateCodec = codec or SharedSpecCodec()
        self.consent_needed = consent_needed
        """Whether a version that an analyst makes waits for a second analyst."""
        self.teams: Callable[[], Mapping[str, bool]] | None = None
        """Says which teams people can be of now, and whether they do tasks; None when any team will do."""
        self.tells: str | None = None
        """The operation that tells people of a task or an order: `kind`, `teams`, `people`, `order`, `task`, `title`,
        `text`. None: nobody is told."""
        self.directory: Callable[[Session, Collection[str]], Mapping[str, Actor]] | None = None
        """Who an active person of a name is now; None in an installation without people, where nobody can delegate."""
        self.library = Library()
        self.on_wakeup: Callable[[Sequence[str]], None] | None = None
        """Called after a commit that left work for a worker, with the ids of the jobs that are due now."""

    def working_teams(self) -> Mapping[str, bool] | None:
        """The teams that people can be of now, and whether they do tasks; None when any team will do."""
        return self.teams() if self.teams is not None else None

    def lacking_approval(self, unit: Unit, element: Element) -> str | None:
        """Why an element may not begin: an approval that it requires does not hold. None when nothing is lacking."""
        raise NotImplementedError

    @contextmanager
    def transaction(self, session: Session | None = None) -> Iterator[Session]:
        """One write transaction; joins the given one instead of opening its own. Wakes workers after a commit."""
        if session is not None:
            yield session
            return
        with self.database.write() as opened:
            yield opened
        due = opened.info.get(_DUE)
        if due and self.on_wakeup is not None:
            self.on_wakeup(due)

    def command(self, work: Callable[[Session], T]) -> T:
        """Runs one command in a transaction of its own.

        Nearly every operation passes, so a command runs without savepoints at first. When one is refused or fails,
        everything is rolled back and the command runs once more, with a savepoint around each operation, so that only
        what failed is taken back.
        """
        try:
            with self.transaction() as tx:
                tx.info[MAY_START_OVER] = True
                return work(tx)
        except StartOver:
            with self.transaction() as tx:
                return work(tx)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads."""
        with self.database.read() as session:
            yield session
