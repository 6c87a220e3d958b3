"""The orders that are played on a mutant: the usual way and the exceptions, by people who answer as forms suggest."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import structlog

import app
from app import Counterparties, Parts
from engine import SYSTEM, Bundle, Database
from engine.errors import InvalidForm, SeparationOfDuties
from engine.views import Actor
from handlers.couriers.journeys import Plan
from handlers.documents import Renderer
from handlers.orders import next_order_number
from settings import ROOT, load
from tests.clock import MovableClock
from tests.scenarios.shop import ORDER

TEAMS = ("sales", "warehouse", "finance", "shipping", "stock-approvers", "payment-approvers", "analysts")
STEPS = set(range(1, 21))
GATES = 2
MOST_MOVES = 80
"""What may happen with one order until it is taken for stuck."""


@dataclass
class Outcome:
    """What became of one order."""

    name: str
    status: str
    steps: set[int]
    signed: set[str]
    """Gates that were approved, by the names of their elements."""
    incidents: list[tuple[str, str]]
    """Element and error of each."""
    stood: str
    trouble: str = ""
    """An error that no person could act on."""

    @property
    def whole(self) -> bool:
        return self.status == "closed" and self.steps >= STEPS and len(self.signed) >= GATES and not self.incidents


@dataclass
class Story:
    """One order and what befalls it."""

    name: str
    form: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What people answer instead of the form's example, in turn, by element; the example afterwards."""
    decisions: Mapping[str, list[tuple[str, int | None]]] = field(default_factory=dict)
    """What approvers decide before they approve."""
    reports: tuple[str, ...] = ("delivered",)
    """What the courier reports, in turn; the last one again and again."""
    picks_up_itself: bool = False
    """The courier's own message ends the pickup."""
    prepare: Callable[[Parts], None] | None = None


def _nothing_in_europe(parts: Parts) -> None:
    from handlers.tables import Stock

    with parts.engine.transaction() as session:
        stock = session.get_one(Stock, ("product-a", "europe"))
        stock.on_hand = stock.reserved  # what an order before still holds stays where it is


STORIES = (
    Story("usual"),
    Story("two signatures, by transfer, overnight", form={
        "items": [{"sku": "product-e", "quantity": 9}, {"sku": "product-d", "quantity": 9}],
        "payment_method": "bank_transfer", "shipping_method": "overnight"}, picks_up_itself=True),
    Story("doubtful phone, declined card", form={"phone": "12", "payment_token": "tok_declined_once"},
          reports=("on_the_way", "delivered")),
    Story("short, sent back, lost on the way", prepare=_nothing_in_europe,
          decisions={"approve_reservation": [("send_back", 3)], "approve_payment": [("send_back", 7),
                                                                                    ("send_back", 6)]},
          reports=("lost", "delivered"), answers={"handle_exception": [{"choice": "ship_again",
                                                                        "reason": "It is lost."}]}),
)


class Player:
    """Plays stories in one installation."""

    def __init__(self, parts: Parts, clock: MovableClock) -> None:
        self.parts, self.engine, self.clock = parts, parts.engine, clock
        self._messages = 0

    def play(self, story: Story) -> Outcome:
        """One order to its end, or until nobody can help it."""
        if story.prepare is not None:
            story.prepare(self.parts)
        number, trouble = "", ""
        try:
            with self.engine.transaction() as session:
                number = next_order_number(session)
                self.engine.start("order_fulfillment", number, _person("sales"), submit={**ORDER, **story.form},
                                  variables={"intake": {"source": "api"}}, session=session)
            self._moves(number, story)
        except Exception as error:  # noqa: BLE001 - whatever comes out of the engine is what is looked for
            trouble = f"{type(error).__name__}: {error}"
        return self._outcome(number, story, trouble)

    def _moves(self, number: str, story: Story) -> None:
        told: dict[str, int] = {}
        quiet = 0
        for _ in range(MOST_MOVES):
            self.engine.work(limit=300)
            instance = self.engine.instance(number)
            if instance.status in ("closed", "cancelled") or self._incidents(number):
                return
            if self._act(number, story, told, instance):
                quiet = 0
                continue
            quiet += 1
            if quiet > 25:
                return
            self.clock.advance(days=1)

    def _act(self, number: str, story: Story, told: dict[str, int], instance: Any) -> bool:
        """The next thing that somebody does. False when all wait."""
        if "courier.picked_up" in instance.awaits and story.picks_up_itself:
            return self._hears("courier.picked_up", number, {
                "booking": (instance.variables.get("booking") or {}).get("reference"), "at": self._now(),
                "driver": "Jo"}) and "courier.picked_up" not in self.engine.instance(number).awaits
        for task in self.engine.order_tasks(number):
            if task.state == "open":
                done = self._signs(task, story, told) if task.kind == "approval" else self._does(task, story, told)
                if done:
                    return True
        if "courier.reported" in instance.awaits:
            turn = told["report"] = told.get("report", -1) + 1
            status = story.reports[min(turn, len(story.reports) - 1)]
            return turn < 12 and self._hears("courier.reported", number, {
                "booking": (instance.variables.get("booking") or {}).get("reference"), "status": status,
                "at": self._now(), "place": "Leipzig", "note": ""})
        if "bank.transfer_received" in instance.awaits and told.setdefault("transfer", 0) < 2:
            told["transfer"] += 1
            invoice = instance.variables.get("invoice") or {}
            return self._hears("bank.transfer_received", number, {
                "amount": invoice.get("due", 0), "currency": invoice.get("currency", "USD"),
                "reference": f"BT-{number}-{told['transfer']}", "payer": "Greta Meier"})
        return False

    def _does(self, task: Any, story: Story, told: dict[str, int]) -> bool:
        turn = told[task.element] = told.get(task.element, -1) + 1
        given = story.answers.get(task.element, [])
        who = _person(task.team)
        detail = self.engine.task(task.id, who)
        example = dict((detail.form.get("examples") or [{}])[0])
        forms = [given[turn]] if turn < len(given) else [example, *_OTHERWISE.get(task.element, [])]
        if turn >= len(given) and task.element in _OTHERWISE:  # what did not help once is not answered again
            forms = forms[turn % len(forms):] + forms[:turn % len(forms)]
        for form in forms:
            try:
                self.engine.complete(task.id, who, {key: value for key, value in form.items() if value is not None})
            except InvalidForm:
                continue
            return True
        return False

    def _signs(self, task: Any, story: Story, told: dict[str, int]) -> bool:
        turn = told[task.element] = told.get(task.element, -1) + 1
        decided = story.decisions.get(task.element, [])
        for number in (2, 3, 4, 5):
            who = _person(task.team, number)
            approval = self.engine.task(task.id, who).approval
            if approval is None or approval.blocked:
                continue
            steps = [step for step, _ in approval.send_back_to]
            decision, back = decided[turn] if turn < len(decided) else ("approve", None)
            if back is not None and back not in steps:
                back = steps[0] if steps else None
            if decision == "send_back" and back is None:
                decision = "approve"
            try:
                self.engine.decide(
                    task.id, who, decision, comment="" if decision == "approve" else "Look again.",  # type: ignore[arg-type]
                    snapshot=approval.snapshot, send_back_to=back)
            except SeparationOfDuties:
                continue
            return True
        return False

    def _hears(self, name: str, number: str, payload: dict[str, Any]) -> bool:
        self._messages += 1
        return self.engine.deliver(name, number, payload, source="test", message_id=f"m{self._messages}")

    def _now(self) -> str:
        return self.clock.now().isoformat().replace("+00:00", "Z")

    def _incidents(self, number: str) -> list[tuple[str, str]]:
        return [(job.element or "", job.error or "") for job in self.engine.jobs(state="dead", order=number).items]

    def _outcome(self, number: str, story: Story, trouble: str) -> Outcome:
        if trouble and not number:
            return Outcome(story.name, "none", set(), set(), [], "", trouble)
        try:
            instance = self.engine.instance(number)
        except Exception:  # noqa: BLE001 - it could not even be started
            return Outcome(story.name, "none", set(), set(), [], "", trouble)
        history = self.engine.history(number)
        done = [event for event in history if event.kind == "completed"]
        open_now = [task.element for task in self.engine.order_tasks(number) if task.state == "open"]
        return Outcome(
            story.name, instance.status, {event.step for event in done if event.step is not None},
            {event.element for event in done if event.detail.get("decision") == "approve" and event.element},
            self._incidents(number), f"{open_now} {instance.awaits}", trouble,
        )


_OTHERWISE: dict[str, list[dict[str, Any]]] = {
    "resolve_payment": [{"choice": "other_method", "payment_method": "paypal"}],
    "resolve_shortage": [{"choice": "wait"}, {"choice": "other_region", "stock_region": "malaysia"}],
    "handle_exception": [{"choice": "keep_tracking", "reason": "It is found."}],
}
"""What a person tries next when the form's own suggestion has not helped."""


def _person(team: str, number: int = 1) -> Actor:
    return Actor(f"{team}-{number}", frozenset([team]))


@contextmanager
def installed() -> Iterator[Callable[[Mapping[str, bytes] | None], Player]]:
    """A factory of installations on which a bundle is deployed, each with a fresh database; cleaned up at the end."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()], logger_factory=_Silent)
    memory = Path("/dev/shm")
    renderer = Renderer(ROOT / "documents")
    renderer.pdf = lambda name, data: b"%PDF- " + name.encode() + orjson.dumps(data)  # type: ignore[method-assign]
    original = app.Renderer
    app.Renderer = lambda folder: copy(renderer)  # type: ignore[assignment,misc]
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else None) as root:
        template, opened, count = Path(root) / "template", list[Parts](), 0
        first = _parts(template, MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC)))
        app.prepare(first)
        with first.database.engine.connect() as connection:
            connection.rollback()
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
        first.database.dispose()

        def install(files: Mapping[str, bytes] | None) -> Player:
            nonlocal count
            for parts in opened:
                parts.database.dispose()
                shutil.rmtree(parts.settings.var, ignore_errors=True)
            opened.clear()
            count += 1
            shutil.copytree(template, Path(root) / f"var{count}")
            clock = MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
            parts = _parts(Path(root) / f"var{count}", clock)
            opened.append(parts)
            if files is not None:
                parts.engine.deploy(Bundle(dict(files)), SYSTEM)
            return Player(parts, clock)

        try:
            yield install
        finally:
            for parts in opened:
                parts.database.dispose()
            app.Renderer = original  # type: ignore[misc]
            structlog.reset_defaults()


def _parts(var: Path, clock: MovableClock) -> Parts:
    kept = app.configure_logging
    app.configure_logging = lambda: None
    try:
        return app.build(
            load(var=var, demo=True, database_url=""), clock=clock,
            counterparties=Counterparties(plan=lambda _order, _courier: Plan()),
        )
    finally:
        app.configure_logging = kept


class _Silent:
    def __init__(self, *_: Any) -> None: ...

    def msg(self, *_: Any, **__: Any) -> None: ...

    debug = info = warning = error = critical = exception = log = msg


__all__ = ["STEPS", "STORIES", "TEAMS", "Database", "Outcome", "Player", "Story", "installed"]
