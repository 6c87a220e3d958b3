"""Moving live instances to another version: one migration, one job and one result per instance.

What may move and what stops it: `engine.transfer`. A task keeps its id, draft, due time and assignee; its name, team,
step and form are those of the new version from then on.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import orjson
from sqlalchemy import Table, func, insert, or_, select, update
from sqlalchemy.orm import Session

from engine.base import note_due
from engine.codec import digest, pack, unpack
from engine.definitions import Definition
from engine.errors import Conflict, InvalidForm, NotFound
from engine.forms import check_values
from engine.impact import Impacts
from engine.store.tables import Event, Instance, Job, Migration, MigrationItem, ProcessVersion, Signature, Task
from engine.transfer import Obstacle, OpenCall, live_ids
from engine.unit import Unit
from engine.views import Actor, Page
from handlers.contract import USUAL_RETRY, FieldError

MoveState = Literal["waiting", "moved", "stays", "refused"]
LIVE = ("open", "cancelling")
OPEN_JOB = ("ready", "leased", "dead")
LONGEST_REASON = 2000
MOST_NAMED = 10_000
"""How many orders one migration may name."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class MoveView:
    """What became of one order."""

    order: str
    from_version: int
    state: MoveState
    why: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class MigrationView:
    """One migration with its counts and a page of its orders."""

    id: int
    key: str
    to_version: int
    actor: str
    reason: str
    created_at: datetime
    waiting: int
    moved: int
    stays: int
    refused: int
    items: Page[MoveView]

    @property
    def total(self) -> int:
        return self.waiting + self.moved + self.stays + self.refused

    @property
    def done(self) -> int:
        """How many have a result."""
        return self.total - self.waiting


class Migrations(Impacts):
    """Migrate, look how far a migration is, and the job that moves one instance."""

    def migrate(
        self, key: str, to_version: int, actor: Actor, *, reason: str, orders: Sequence[str] | None = None
    ) -> MigrationView:
        """Orders live instances of a process to another version; workers move them, one after the other.

        Without `orders` all live ones that are on another version. InvalidForm: no reason, or an order that is not
        there. NotFound: no such version. Conflict: the version is not deployed.
        """
        reason = _reason(reason)
        with self.transaction() as tx:
            target = self._target(tx, key, to_version)
            migration = Migration(
                key=key, version_id=target.id, actor=actor.name, reason=reason, created_at=self.clock.now()
            )
            tx.add(migration)
            tx.flush()
            self._add_items(tx, migration, target, self._wanted(tx, key, target.id, orders))
            number = migration.id
        return self.migration(number)

    def migration(
        self, migration_id: int, *, key: str | None = None, state: MoveState | None = None, limit: int = 50,
        cursor: str | None = None,
    ) -> MigrationView:
        """How far a migration is, with a page of its orders by number. NotFound, also of another process."""
        with self.reading() as session:
            row = session.get(Migration, migration_id)
            if row is None or (key is not None and row.key != key):
                raise NotFound("There is no such migration.")
            counts = dict(session.execute(
                select(MigrationItem.state, func.count()).where(MigrationItem.migration_id == row.id)
                .group_by(MigrationItem.state)
            ).tuples().all())
            version = session.execute(
                select(ProcessVersion.version).where(ProcessVersion.id == row.version_id)
            ).scalar_one()
            return MigrationView(
                id=row.id, key=row.key, to_version=version, actor=row.actor, reason=row.reason,
                created_at=row.created_at, waiting=counts.get("waiting", 0), moved=counts.get("moved", 0),
                stays=counts.get("stays", 0), refused=counts.get("refused", 0),
                items=_page(session, row.id, state, limit, cursor),
            )

    def migrations(self, key: str, *, limit: int = 20) -> list[MigrationView]:
        """The last migrations of a process, newest first, without their orders."""
        with self.reading() as session:
            newest = select(Migration.id).where(Migration.key == key).order_by(Migration.id.desc()).limit(limit)
            numbers = list(session.scalars(newest))
        return [self.migration(number, limit=1) for number in numbers]

    def definition_then(self, session: Session, instance: Instance, task: Task) -> Definition:
        """The version in which a task was done: its form may be another by now, or its element gone."""
        if task.state != "open" and task.completed_at is not None:
            left = session.execute(
                select(Event.body).where(Event.instance_id == instance.id, Event.kind == "migrated",
                                         Event.at >= task.completed_at).order_by(Event.seq).limit(1)
            ).scalar_one_or_none()
            if left is not None:
                version = orjson.loads(left)["detail"]["from"]
                found = select(ProcessVersion.id).where(
                    ProcessVersion.key == instance.process_key, ProcessVersion.version == version)
                return self.library.get(session, session.execute(found).scalar_one())
        return self.library.get(session, instance.version_id)

    def waiting_moves(self, migration_id: int, *, limit: int) -> list[str]:
        """Ids of jobs of a migration that nobody has taken, for whoever wants to do them at once (`claim_job`)."""
        waiting = (
            select(MigrationItem.business_key)
            .where(MigrationItem.migration_id == migration_id, MigrationItem.state == "waiting")
            .order_by(MigrationItem.business_key).limit(limit)
        )
        with self.reading() as session:
            keys = [_job_key(order, migration_id) for order in session.scalars(waiting)]
            return list(session.scalars(select(Job.id).where(Job.key.in_(keys), Job.state == "ready")))

    # --- beginning ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _target(tx: Session, key: str, version: int) -> ProcessVersion:
        target = tx.scalars(
            select(ProcessVersion).where(ProcessVersion.key == key, ProcessVersion.version == version)
        ).one_or_none()
        if target is None:
            raise NotFound(f"There is no version {version} of {key}.")
        if target.state != "deployed":
            raise Conflict(f"Version {version} of {target.name} is not deployed. Orders can move to it when it is.")
        return target

    @staticmethod
    def _wanted(tx: Session, key: str, target: int, orders: Sequence[str] | None) -> list[Any]:
        """The instances to be moved: id, business key, version and status."""
        columns = select(
            Instance.id, Instance.business_key, Instance.status, Instance.version_id, ProcessVersion.version
        ).join(ProcessVersion, ProcessVersion.id == Instance.version_id).where(Instance.process_key == key)
        if orders is None:
            live = columns.where(Instance.status.in_(LIVE), Instance.version_id != target)
            return list(tx.execute(live.order_by(Instance.started_at, Instance.id)))
        named = list(dict.fromkeys(orders))
        if not named or len(named) > MOST_NAMED:
            raise InvalidForm([FieldError("/orders", f"Name at least one order and at most {MOST_NAMED:,}.")])
        found = {
            row.business_key: row for start in range(0, len(named), _CHUNK)
            for row in tx.execute(columns.where(Instance.business_key.in_(named[start:start + _CHUNK])))
        }
        faults = [FieldError(f"/orders/{n}", f"There is no order {order} of {key}.")
                  for n, order in enumerate(named) if order not in found]
        if faults:
            raise InvalidForm(faults)
        return [found[order] for order in named]

    def _add_items(self, tx: Session, migration: Migration, target: ProcessVersion, wanted: Sequence[Any]) -> None:
        now, items, jobs = self.clock.now(), [], []
        for row in wanted:
            why = _stays(row.status, row.version_id, target.id, target.version)
            items.append({
                "migration_id": migration.id, "instance_id": row.id, "business_key": row.business_key,
                "from_version": row.version, "state": "stays" if why else "waiting", "why": why,
                "at": now if why else None,
            })
            if not why:
                jobs.append(self._move_job(migration, row, now))
        for start in range(0, len(items), _CHUNK):
            tx.execute(insert(cast(Table, MigrationItem.__table__)), items[start:start + _CHUNK])
        for start in range(0, len(jobs), _CHUNK):
            tx.execute(insert(cast(Table, Job.__table__)), jobs[start:start + _CHUNK])
        note_due(tx, [job["id"] for job in jobs])

    @staticmethod
    def _move_job(migration: Migration, row: Any, now: datetime) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()), "instance_id": row.id, "business_key": row.business_key,
            "process": migration.key, "task_id": None, "element": None, "name": None, "step": None, "kind": "move",
            "operation": None, "key": _job_key(row.business_key, migration.id),
            "arguments": pack({"migration": migration.id}), "state": "ready", "run_at": now, "attempts": 0,
            "max_attempts": USUAL_RETRY.attempts, "fence": 0, "lease_owner": None, "lease_until": None, "error": None,
            "result": None, "created_at": now, "updated_at": now,
        }

    # --- moving one ---------------------------------------------------------------------------------------------------

    def move(self, tx: Session, unit: Unit, arguments: Mapping[str, Any]) -> None:
        """Moves the instance of a job, and writes what became of it. A second time does nothing."""
        number, instance = arguments["migration"], unit.row.id
        order = tx.execute(
            select(Migration.id, Migration.version_id, Migration.actor, Migration.reason, ProcessVersion.version,
                   MigrationItem.state)
            .join(ProcessVersion, ProcessVersion.id == Migration.version_id)
            .join(MigrationItem, MigrationItem.migration_id == Migration.id)
            .where(Migration.id == number, MigrationItem.instance_id == instance)
        ).one()
        if order.state != "waiting":
            return
        was, why = unit.definition.version, _stays(unit.status, unit.row.version_id, order.version_id, order.version)
        state: MoveState = "stays"
        if not why:
            obstacle = self._moved(tx, unit, self.library.get(tx, order.version_id), order)
            state, why = ("moved", "") if obstacle is None else ("refused", obstacle.why)
        tx.execute(
            update(MigrationItem)
            .where(MigrationItem.migration_id == number, MigrationItem.instance_id == instance)
            .values(state=state, why=why, at=self.clock.now(), from_version=was)
            .execution_options(synchronize_session=False)
        )

    def _moved(self, tx: Session, unit: Unit, new: Definition, order: Any) -> Obstacle | None:
        """Moves an instance unless something stops it; says what."""
        old, state = unit.definition, unpack(unit.row.state)
        transfer = self.transfer(old, new)
        rows = list(tx.scalars(
            select(Task).where(Task.instance_id == unit.row.id, Task.state == "open").order_by(Task.id)
        ))
        signed = _signed(tx, rows)
        obstacle = transfer.obstacle(state, unit.process, _open_calls(tx, unit.row.id), tuple(signed),
                                     cancelling=unit.status == "cancelling")
        if obstacle is not None:
            return obstacle
        live = live_ids(state)
        transfer.rewrite(state, unit.process)
        unit.move(new, pack(state), live)
        obstacle = self._resigned(unit, new, signed)
        if obstacle is not None:
            return obstacle  # the unit is not saved
        detail: dict[str, Any] = {"from": old.version, "to": new.version, "reason": order.reason,
                                  "migration": order.id, "tasks": _renew_tasks(rows, old, new)}
        unit.event("migrated", actor=order.actor, **detail)
        _renew_step(unit, old, new)
        if transfer.removed:
            _withdraw_timers(tx, unit, transfer.removed, self.clock.now())
        if not unit.run.ended:
            unit.advance()
        unit.save()
        return None

    def _resigned(self, unit: Unit, new: Definition, signed: Mapping[str, str]) -> Obstacle | None:
        """The gate whose submission would not be what somebody has signed already."""
        for gate, snapshot in signed.items():
            element = new.element(unit.process, gate)
            if digest(self.submission(unit, element)) != snapshot:
                return Obstacle(gate, element.name, f"Somebody has signed “{element.name}”, and what is signed there "
                                                    "would change. Move the order when the gate is decided.")
        return None

    def give_up_move(self, tx: Session, arguments: Mapping[str, Any], instance_id: str, error: str) -> None:
        """Writes that an instance could not be moved although nothing was known to stop it; it stays as it was."""
        tx.execute(
            update(MigrationItem)
            .where(MigrationItem.migration_id == arguments["migration"], MigrationItem.instance_id == instance_id,
                   MigrationItem.state == "waiting")
            .values(state="refused", why=f"Moving it failed: {error}", at=self.clock.now())
        )


def _signed(tx: Session, rows: Sequence[Task]) -> dict[str, str]:
    """Open gates under which somebody has signed, each with the snapshot that was signed."""
    gates = {row.id: row.element for row in rows if row.kind == "approval"}
    if not gates:
        return {}
    found = select(Signature.task_id, Signature.snapshot).where(
        Signature.task_id.in_(gates), Signature.void_at.is_(None)
    ).order_by(Signature.id)
    return {gates[task]: snapshot for task, snapshot in tx.execute(found)}


def _renew_tasks(rows: Sequence[Task], old: Definition, new: Definition) -> list[dict[str, Any]]:
    """Gives the rows of open tasks what the new version says of them; returns what changed, for the history.

    Who has a task keeps it, unless it now belongs to another team.
    """
    told = []
    for row in rows:
        was = old.element(row.process, row.element)
        element = new.element(row.process, row.element)
        fresh = {"name": element.name, "step": element.step, "team": element.properties.get("team", ""),
                 "escalate_to": element.properties.get("escalateTo")}
        changed: dict[str, Any] = {
            name: [getattr(row, name), value] for name, value in fresh.items() if getattr(row, name) != value
        }
        if old.form(was) != new.form(element):
            changed["form"] = [each.properties.get("formJsonSchemaFilename") for each in (was, element)]
        if was != element and element.is_approval:
            changed["gate"] = [old.version, new.version]
        if "team" in changed and row.assignee is not None:
            changed["assignee"] = [row.assignee, None]
            row.assignee = row.claimed_at = None
        for name, value in fresh.items():
            setattr(row, name, value)
        if changed:
            row.revision += 1
            told.append({"element": element.id, **changed})
    return told


def _job_key(order: str, migration_id: int) -> str:
    return f"{order}:move:{migration_id}"


def _stays(status: str, version_id: int, target_id: int, target: int) -> str:
    """Why an instance is left where it is; empty when it is to move."""
    if status not in LIVE:
        return "The order has ended."
    return f"The order is on version {target} already." if version_id == target_id else ""


def _open_calls(tx: Session, instance_id: str) -> list[OpenCall]:
    rows = tx.execute(
        select(Job.process, Job.element, Job.operation, Job.task_id)
        .where(Job.instance_id == instance_id, Job.kind == "operation", Job.state.in_(OPEN_JOB))
    )
    return [OpenCall(r.process, r.element or "", r.operation or "", r.task_id is not None) for r in rows]


def _renew_step(unit: Unit, old: Definition, new: Definition) -> None:
    """The step that was reached last keeps its element and takes the number that it has now."""
    elements = old.diagram(old.key).elements.values()
    reached = next((e for e in elements if e.step is not None and e.step == unit.step), None)
    element = new.diagram(new.key).elements.get(reached.id) if reached is not None else None
    if element is not None and element.step is not None:
        unit.step, unit.step_name = element.step, element.name


def _withdraw_timers(tx: Session, unit: Unit, removed: frozenset[str], now: datetime) -> None:
    """Ends the timers of elements that are gone; those whose task is gone are withdrawn when the unit is saved."""
    tx.execute(
        update(Job)
        .where(Job.instance_id == unit.row.id, Job.kind == "timer", Job.element.in_(removed),
               or_(Job.state == "ready", Job.state == "dead"))
        .values(state="withdrawn", updated_at=now)
        .execution_options(synchronize_session=False)
    )


def _page(
    session: Session, migration_id: int, state: MoveState | None, limit: int, cursor: str | None
) -> Page[MoveView]:
    limit = max(1, min(limit, 1000))
    statement = select(MigrationItem).where(MigrationItem.migration_id == migration_id)
    if state is not None:
        statement = statement.where(MigrationItem.state == state)
    if cursor is not None:
        statement = statement.where(MigrationItem.business_key > cursor)
    rows = list(session.scalars(statement.order_by(MigrationItem.business_key).limit(limit + 1)))
    items = tuple(
        MoveView(row.business_key, row.from_version, cast(MoveState, row.state), row.why, row.at)
        for row in rows[:limit]
    )
    return Page(items, rows[limit - 1].business_key if len(rows) > limit else None)


def _reason(reason: str) -> str:
    check_values(reason, at="/reason")
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidForm([FieldError("/reason", f"Say why, in at most {LONGEST_REASON:,} characters: it is kept in "
                                                 "the history of every order.")])
    return reason.strip()
