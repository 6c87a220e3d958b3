"""The simulated outside world: what couriers plan for a booking, when customers pay, when stock arrives.

All of it reaches the engine as messages, like the real thing.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from demo.dice import Dice
from handlers.couriers.embedded import EmbeddedCourier
from handlers.couriers.embedded import Fault as CourierFault
from handlers.couriers.journeys import Plan
from handlers.payments.bank import BankTransfers
from handlers.payments.embedded import EmbeddedProvider
from handlers.stock import stock_levels, take_in, wanted
from handlers.tables import Invoice, Order

if TYPE_CHECKING:
    from engine import Engine
    from engine.views import InstanceView
    from handlers.ports import Ports

PROCESS = "order_fulfillment"
_PICKUPS = {"on_time": 90.0, "late": 6.0, "never": 4.0}
_ENDINGS = {"delivered": 88.0, "lost": 4.0, "refused": 2.0, "returned": 3.0, "silent": 3.0}
_FAULTS = {"": 94.0, "unavailable": 3.0, "lost_reply": 3.0}


class CourierWorld:
    """What happens to bookings. Trouble comes to an order's first booking with a courier, never to every one."""

    def __init__(self, dice: Dice, *, calm: bool = False) -> None:
        """`calm` leaves out what only a timer of days would end, for a demo that runs in real time."""
        self._dice = dice
        self._calm = calm
        self._bookings: Counter[str] = Counter()
        self._calls: Counter[tuple[str, str]] = Counter()

    def plan(self, order: str, courier: str) -> Plan:
        """What will happen to a booking that is taken now."""
        self._bookings[order] += 1
        dice, again = self._dice, self._bookings[order] > 1
        pickup = "on_time" if again or self._calm else dice.weigh(_PICKUPS, order, courier, "pickup")
        ending = "delivered" if again else dice.weigh(_ENDINGS, order, courier, "ending")
        if self._calm and ending == "silent":
            ending = "delivered"
        return Plan(
            pickup=pickup,  # type: ignore[arg-type]
            delayed=dice.chance(0.12, order, courier, "delayed"),
            ending=ending,  # type: ignore[arg-type]
            proof=again or not dice.chance(0.05, order, courier, "proof"),
            twice=dice.chance(0.15, order, courier, "twice"),
            out_of_order=dice.chance(0.1, order, courier, "order"),
        )

    def fault(self, method: str, key: str) -> CourierFault | None:
        """A bad moment of a courier: at most once for a key, so that trying again helps."""
        self._calls[method, key] += 1
        if self._calls[method, key] > 1:
            return None
        if method == "book" and self._dice.chance(0.04, key, "refuses"):
            return CourierFault("refuse")
        kind = self._dice.weigh(_FAULTS, method, key, "fault")
        return CourierFault(kind) if kind else None  # type: ignore[arg-type]


class Outside:
    """Delivers what bank, couriers and suppliers have to say by now."""

    def __init__(self, engine: Engine, ports: Ports, dice: Dice, *, patience: float = 1.0) -> None:
        """`patience` scales how long customers and suppliers take: 1 is hours and days."""
        self._engine, self._ports, self._dice, self._patience = engine, ports, dice, patience
        provider = ports.payments
        assert isinstance(provider, EmbeddedProvider)
        self._bank = BankTransfers(provider)
        self._paydays: dict[str, datetime] = {}
        self._paid: set[tuple[str, int]] = set()
        """Invoices and amounts that customers have sent: nobody pays the same twice."""
        self._couriers = [c for c in ports.couriers.values() if isinstance(c, EmbeddedCourier)]

    def tick(self, now: datetime) -> int:
        """Everything that is due; returns how many messages were sent."""
        return self._courier_webhooks(now) + self._transfers(now) + self._deliveries(now)

    def next_due(self) -> datetime | None:
        """When something outside happens next."""
        times = [at for courier in self._couriers if (at := courier.next_webhook_at()) is not None]
        times += [at for _, at, _ in self._payers()]
        times += [at for _, at in self._shortages()]
        return min(times, default=None)

    def _courier_webhooks(self, now: datetime) -> int:
        sent = 0
        for courier in self._couriers:
            for hook in courier.due_webhooks(now):
                self._engine.deliver(hook.name, hook.order, hook.payload, source=courier.code, message_id=hook.id)
                courier.acknowledge(hook.id)
                sent += 1
        return sent

    # --- the bank ---

    def _payers(self) -> list[tuple[Invoice, datetime, int]]:
        """Invoices that wait for a transfer, when the customer pays, and how much is due (minor units)."""
        waiting = self._waiting_for("bank.transfer_received")
        if not waiting:
            return []
        with self._engine.reading() as session:
            rows = session.scalars(
                select(Invoice).where(Invoice.order_number.in_(waiting), Invoice.kind == "invoice")
                .order_by(Invoice.issued_at)
            )
            newest = {row.order_number: row for row in rows}
        found = []
        for number, row in newest.items():
            variables = waiting[number].variables
            at = self._pays_at(row, asked="resolve_payment" in variables)
            due = int(variables["invoice"]["due"])
            if at is not None and due > 0 and (row.number, due) not in self._paid:
                found.append((row, at, due))
        return found

    def _pays_at(self, invoice: Invoice, *, asked: bool) -> datetime | None:
        """Most pay within days; a few forget, and pay only once somebody has asked what is to be done."""
        if invoice.number in self._paydays:
            return self._paydays[invoice.number]
        if self._dice.chance(0.15, invoice.order_number, "forgets") and not asked:
            return None
        hours = self._dice.number(2, 140, invoice.number, "pays")
        self._paydays[invoice.number] = invoice.issued_at + timedelta(hours=hours) * self._patience
        return self._paydays[invoice.number]

    def _transfers(self, now: datetime) -> int:
        sent = 0
        for invoice, at, due in self._payers():
            if at > now:
                continue
            self._paid.add((invoice.number, due))
            with self._engine.reading() as session:
                payer = session.get_one(Order, invoice.order_number).customer_name
            key = f"{invoice.number}:{due}"
            transfer = self._bank.receive(
                key, order=invoice.order_number, amount=due, currency=invoice.currency, payer=payer
            )
            self._engine.deliver("bank.transfer_received", invoice.order_number, transfer.payload(), source="bank",
                                 message_id=transfer.reference)
            sent += 1
        return sent

    def _waiting_for(self, message: str) -> dict[str, InstanceView]:
        """The orders that wait for a message."""
        numbers = self._engine.waiting_for(message)
        views = self._engine.instances(PROCESS, keys=numbers, limit=1000).items if numbers else ()
        return {view.business_key: view for view in views}

    # --- suppliers ---

    def _shortages(self) -> list[tuple[str, datetime]]:
        """Orders that wait for stock, and when it arrives; a few wait longer than they want to."""
        found = []
        for number, view in sorted(self._waiting_for("stock.arrived").items()):
            days = self._dice.number(1, 9, number, "restock")
            found.append((number, view.started_at + timedelta(days=days) * self._patience))
        return found

    def _deliveries(self, now: datetime) -> int:
        sent = 0
        for number, at in self._shortages():
            if at > now:
                continue
            with self._engine.transaction() as session:
                order = session.get_one(Order, number)
                for sku, quantity in _short_by(session, order).items():
                    take_in(session, (sku, order.stock_region), quantity, now)
            self._engine.deliver("stock.arrived", number, {"at": now.isoformat()}, source="warehouse",
                                 message_id=f"{number}:{now.isoformat()}")
            sent += 1
        return sent


def _short_by(session: Session, order: Order) -> dict[str, int]:
    """Units of each product that the order's region lacks for it."""
    needs = wanted(order)
    free = {level.sku: level.available for level in stock_levels(session, needs) if level.region == order.stock_region}
    return {sku: need - free.get(sku, 0) for sku, need in needs.items() if need > free.get(sku, 0)}
