"""What a change of a process does to live instances: who goes on as before, who meets what is new, who cannot move.

Asked before a version is deployed as well. Reads stored states only (`engine.transfer`), so thousands take seconds.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from engine.changes import Changes, listed
from engine.codec import unpack
from engine.definitions import Bundle, Definition, Element, build_definition
from engine.emergencies import Emergencies
from engine.errors import CannotDeploy, NotFound
from engine.lint import check
from engine.lint.counting import CountsOn
from engine.store.tables import Instance, Job, ProcessVersion, Signature, Task
from engine.transfer import Obstacle, OpenCall, Transfer, live_names

Kind = Literal["stays", "moves", "form_changes", "lacks", "cannot"]
MOST_NAMED = 20
"""Orders that a group names."""
LIVE = ("open", "cancelling")
_ORDER: Mapping[Kind, int] = {"moves": 0, "stays": 1, "form_changes": 2, "lacks": 3, "cannot": 4}


@dataclass(frozen=True, slots=True)
class ImpactGroup:
    """Live instances to which a change does the same."""

    kind: Kind
    """`moves`: what lies ahead of them is new, changed or gone; `stays`: they go on as they are; `form_changes`: a task
    that is open now changes; `lacks`: they could move, and would come to an element that reads what they have not got;
    `cannot`: they stay on their version."""
    element: str | None
    """The element that is new, whose form changes, that reads what they lack, or that stops them."""
    name: str
    why: str
    """A sentence."""
    count: int
    orders: tuple[str, ...]
    """Some of their numbers, the oldest first."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What moving all live instances to a version would do."""

    key: str
    to_version: int | None
    """None: a bundle that is no version yet."""
    total: int
    """Live instances of the process."""
    groups: tuple[ImpactGroup, ...]
    seconds: float
    """How long it took to work this out."""

    def count(self, kind: Kind) -> int:
        return sum(group.count for group in self.groups if group.kind == kind)

    @property
    def can_move(self) -> int:
        """How many can be moved, also those for which nothing changes."""
        return self.total - self.count("cannot")


@dataclass(frozen=True, slots=True)
class _Fate:
    kind: Kind
    element: str | None
    name: str
    why: str


@dataclass
class _Facts:
    """What is known of live instances beside their states, by instance."""

    calls: dict[str, list[OpenCall]] = field(default_factory=lambda: defaultdict(list))
    signed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


class Impacts(Emergencies):
    """What a change would do, without doing it."""

    def impact(self, key: str, to: int | Bundle) -> Impact:
        """What moving the live instances of a process to a version, or to a bundle that is none yet, would do.

        NotFound: no such process or version. CannotDeploy: the bundle cannot be read.
        """
        began = time.perf_counter()
        with self.reading() as session:
            new = self._new_definition(session, key, to)
            counts: Counter[_Fate] = Counter()
            named: dict[_Fate, list[str]] = defaultdict(list)
            for order, fate in self._fates(session, key, new):
                counts[fate] += 1
                if len(named[fate]) < MOST_NAMED:
                    named[fate].append(order)
        groups = sorted(
            (ImpactGroup(f.kind, f.element, f.name, f.why, count, tuple(named[f])) for f, count in counts.items()),
            key=lambda group: (_ORDER[group.kind], -group.count, group.name),
        )
        version = to if isinstance(to, int) else None
        return Impact(key, version, counts.total(), tuple(groups), time.perf_counter() - began)

    def transfer(self, old: Definition, new: Definition) -> Transfer:
        """What it takes to bring instances from one version to another; worked out once."""
        return _transfer(old, new)

    def _new_definition(self, session: Session, key: str, to: int | Bundle) -> Definition:
        versions = dict(session.execute(
            select(ProcessVersion.version, ProcessVersion.id).where(ProcessVersion.key == key)
        ).tuples().all())
        if not versions:
            raise NotFound(f"There is no process {key}.")
        if isinstance(to, int):
            if to not in versions:
                raise NotFound(f"There is no version {to} of {key}.")
            return self.library.get(session, versions[to])
        try:
            return build_definition(0, key, 0, to)
        except Exception:  # whatever is wrong with a draft, the checks have words for it
            findings = [finding for finding in check(to.files, self.registry) if finding.severity == "error"]
            if not findings:
                raise
            raise CannotDeploy(findings) from None

    def _fates(self, session: Session, key: str, new: Definition) -> Iterator[tuple[str, _Fate]]:
        """Each live instance and what becomes of it, the oldest first."""
        facts = _facts(session, key)
        rows = session.execute(
            select(Instance.id, Instance.business_key, Instance.version_id, Instance.process, Instance.state,
                   Instance.variables, Instance.status)
            .where(Instance.process_key == key, Instance.status.in_(LIVE))
            .order_by(Instance.started_at, Instance.business_key).execution_options(yield_per=500)
        )
        judges: dict[int, _Judge] = {}
        for row in rows:
            if row.version_id not in judges:
                judges[row.version_id] = _Judge(self.library.get(session, row.version_id), new, self._counts_on)
            yield row.business_key, judges[row.version_id].fate(
                row, facts.calls.get(row.id, ()), facts.signed.get(row.id, ())
            )

    @cached_property
    def _counts_on(self) -> Callable[[Definition], CountsOn]:
        """What a version counts on; worked out once."""
        return lru_cache(maxsize=8)(lambda definition: CountsOn(definition.bundle.files, self.registry))


class _Judge:
    """Says what becomes of the instances of one version."""

    def __init__(self, old: Definition, new: Definition, counts_on: Callable[[Definition], CountsOn]) -> None:
        self.old, self.new = old, new
        self.transfer = _transfer(old, new)
        self.changes = Changes(old, new)
        self._usual = lru_cache(maxsize=None)(self._of_place)
        self._lacking = lru_cache(maxsize=None)(
            lambda process, standing: self.changes.lacking(process, standing, counts_on(old), counts_on(new)))

    def fate(self, row: Row[Any], calls: Sequence[OpenCall], signed: Collection[str]) -> _Fate:
        if self.old.version_id == self.new.version_id:
            return _Fate("stays", None, "", f"on version {self.new.version} already")
        state = unpack(row.state)
        obstacle = self.transfer.obstacle(state, row.process, calls, signed, cancelling=row.status == "cancelling")
        if obstacle is not None:
            return self._cannot(obstacle)
        standing = live_names(state)
        wanted = self._lacking(row.process, standing)
        written = unpack(row.variables) if wanted else {}
        lacks = next(((name, reader) for name, reader in wanted if name not in written), None)
        return self._lacks(*lacks) if lacks else self._usual(row.process, standing)

    @staticmethod
    def _lacks(name: str, reader: Element) -> _Fate:
        why = f"“{reader.name or reader.id}” reads {name}, which is written before the place where they stand"
        return _Fate("lacks", reader.id, reader.name or reader.id, why)

    @staticmethod
    def _cannot(obstacle: Obstacle) -> _Fate:
        return _Fate("cannot", obstacle.element, obstacle.name, obstacle.why)

    def _of_place(self, process: str, standing: frozenset[tuple[str, str]]) -> _Fate:
        """What becomes of an instance that stands here; the same for all that do."""
        task = self.changes.open_task(process, standing)
        if task is not None:
            return _Fate("form_changes", task.element.id, task.element.name, task.why)
        new, changed = self.changes.ahead(process, standing)
        if new:
            first = new[0]
            return _Fate("moves", first.id, listed([e.name for e in new]), self.changes.before(process, first))
        gone = self.changes.gone(process, standing)
        if gone:
            names = listed([e.name for e in gone])
            return _Fate("moves", gone[0].id, names, f"they no longer come to {names}")
        if changed:
            return _Fate("moves", changed[0].id, listed([e.name for e in changed]), "what lies ahead of them changes: "
                         f"{listed([e.name for e in changed])}")
        return _Fate("stays", None, "", "nothing of theirs changes")


@lru_cache(maxsize=8)
def _transfer(old: Definition, new: Definition) -> Transfer:
    return Transfer(old, new)


def _facts(session: Session, key: str) -> _Facts:
    """Open calls and signatures under open gates of all live instances, in two statements."""
    facts = _Facts()
    live = (Instance.process_key == key, Instance.status.in_(LIVE))
    for row in session.execute(
        select(Job.instance_id, Job.process, Job.element, Job.operation, Job.task_id)
        .join(Instance, Instance.id == Job.instance_id)
        .where(*live, Job.kind == "operation", Job.state.in_(("ready", "leased", "dead")))
    ):
        facts.calls[row.instance_id].append(
            OpenCall(row.process, row.element or "", row.operation or "", row.task_id is not None))
    for instance_id, gate in session.execute(
        select(Task.instance_id, Task.element).join(Signature, Signature.task_id == Task.id)
        .join(Instance, Instance.id == Task.instance_id).where(*live, Task.state == "open")
    ):
        facts.signed[instance_id].add(gate)
    return facts
