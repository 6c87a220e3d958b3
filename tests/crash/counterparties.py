"""Provider, bank, couriers and suppliers in a process of their own, with bad days.

They are the shipped embedded ones with their own books. This server around them answers 503, does the work and then
loses the reply, or is slow; what they tell the shop goes over signed webhooks.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import app
from demo.clock import DemoClock
from demo.dice import Dice
from demo.outside import Outside
from engine.views import InstanceView
from handlers.contract import GiveUp, Refused, TryAgain
from handlers.couriers.embedded import EmbeddedCourier, Fault
from handlers.couriers.journeys import Plan
from handlers.couriers.port import Address, Package
from handlers.payments.bank import BankTransfers, Transfer
from handlers.tables import Invoice
from settings import load
from tests.crash.config import Run
from tests.crash.webhooks import MOST_COPIES, Sender, Webhooks

_FAULTS = {"": 86.0, "unavailable": 5.0, "lost": 6.0, "slow": 3.0}
_PICKUPS = {"on_time": 80.0, "late": 10.0, "never": 10.0}
_ENDINGS = {"delivered": 76.0, "lost": 7.0, "refused": 6.0, "returned": 6.0, "silent": 5.0}


class Fortune:
    """What happens to bookings: more trouble than in the demo, and never to every booking of an order."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self.bookings: Counter[str] = Counter()
        """How many bookings each order has made."""

    def plan(self, order: str, courier: str) -> Plan:
        self.bookings[order] += 1
        again, dice = self.bookings[order] > 1, self._dice
        return Plan(
            pickup="on_time" if again else dice.weigh(_PICKUPS, order, courier, "pickup"),  # type: ignore[arg-type]
            delayed=dice.chance(0.12, order, courier, "delayed"),
            ending="delivered" if again else dice.weigh(_ENDINGS, order, courier, "ending"),  # type: ignore[arg-type]
            proof=again or not dice.chance(0.1, order, courier, "proof"),
            twice=dice.chance(0.3, order, courier, "twice"),
            out_of_order=dice.chance(0.3, order, courier, "order"),
        )

    def fault(self, method: str, key: str) -> Fault | None:
        """Refusals only; what else goes wrong is the server's business."""
        refuses = method == "book" and self._dice.chance(0.06, key, "refuses")
        return Fault("refuse") if refuses else None


class Bank(BankTransfers):
    """Some accounts take no refunds."""

    dice: Dice

    def receive(
        self, key: str, *, order: str, amount: int, currency: str, payer: str, token: str | None = None
    ) -> Transfer:
        if self.dice.chance(0.5, order, "no refunds"):
            token = "tok_refund_refused"
        return super().receive(key, order=order, amount=amount, currency=currency, payer=payer, token=token)


class World(Outside):
    """The demo's outside world; some customers pay in two parts, and all it says goes over webhooks."""

    def __init__(self, parts: app.Parts, dice: Dice, webhooks: Webhooks) -> None:
        def deliver(
            name: str, business_key: str, payload: Mapping[str, Any], *, source: str, message_id: str
        ) -> bool:
            webhooks.post(message_id, name, business_key, payload, dice.number(1, MOST_COPIES, message_id, "copies"))
            return True

        parts.engine.deliver = deliver  # type: ignore[assignment,method-assign]
        super().__init__(parts.engine, parts.ports, dice)
        self._bank = Bank(parts.ports.payments)  # type: ignore[arg-type]
        self._bank.dice = dice
        self._webhooks = webhooks
        self.lock = threading.Lock()

    def _payers(self) -> list[tuple[Invoice, datetime, int]]:
        # the parts differ: a second one of the same amount would look like the first one once more
        parts = [
            (invoice, at, due // 2 + 1 if due == invoice.total > 2 and self._in_parts(invoice.order_number) else due)
            for invoice, at, due in super()._payers()
        ]
        return [part for part in parts if (part[0].number, part[2]) not in self._paid]

    def _in_parts(self, order: str) -> bool:
        return self._dice.chance(0.5, order, "pays in parts")

    def _waiting_for(self, message: str) -> dict[str, InstanceView]:
        """Orders whose message is on its way wait no longer. Asked in this order, none can slip through between."""
        on_the_way = {order for _, name, order, _ in self._webhooks.unsent() if name == message}
        return {order: view for order, view in super()._waiting_for(message).items() if order not in on_the_way}


class Counterparties:
    """All of them, and the state that the supervisor asks for."""

    def __init__(self, run: Run) -> None:
        self.clock, self.dice = DemoClock(run.clock), Dice(run.seed)
        self.patience = run.patience
        fortune = Fortune(self.dice)
        outside = app.Counterparties(plan=fortune.plan, courier_faults=fortune.fault)
        self.parts = app.build(load(), clock=self.clock, counterparties=outside)
        self.couriers = {c.code: c for c in self.parts.ports.couriers.values() if isinstance(c, EmbeddedCourier)}
        for courier in self.couriers.values():
            fortune.bookings.update(entry.order for entry in courier.bookings())
        self.webhooks = Webhooks(self.parts.settings.var / "outside" / "webhooks.db")
        self.world = World(self.parts, self.dice, self.webhooks)
        self.asked: Counter[tuple[str, str]] = Counter()
        Sender(self.webhooks, self.parts.settings.webhook_secret, run.webs)
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        while True:
            try:
                with self.world.lock:
                    self.world.tick(self.clock.now())
            except Exception as error:  # noqa: BLE001 - the database may be away for a moment
                print(f"counterparties: {type(error).__name__}: {error}", flush=True)
            time.sleep(0.05)

    def state(self) -> dict[str, Any]:
        """What is still to be told, and when something happens next."""
        with self.world.lock:
            due = self.world.next_due()
        return {"unsent": len(self.webhooks.unsent()), "next": due.isoformat() if due else None}

    def fault(self, path: str, key: str) -> str:
        """What goes wrong with this request. Only the first of a key meets trouble, as a rule."""
        self.asked[path, key] += 1
        if self.asked[path, key] > 1 and not self.dice.chance(0.2, path, key, self.asked[path, key], "again"):
            return ""
        return self.dice.weigh(_FAULTS, path, key, self.asked[path, key])

    def answer(self, path: str, arguments: dict[str, Any]) -> Any:
        """Hands a request to the one it is for."""
        who, _, method = path.strip("/").rpartition("/")
        if who == "payments":
            return getattr(self.parts.ports.payments, method)(**arguments)
        if "destination" in arguments:
            arguments["destination"] = Address(**arguments["destination"])
            arguments["packages"] = tuple(Package(**package) for package in arguments["packages"])
        return getattr(self.couriers[who.rpartition("/")[2]], method)(**arguments)


class Handler(BaseHTTPRequestHandler):
    counterparties: Counterparties

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._reply(200, self.counterparties.state())

    def do_POST(self) -> None:
        arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.counterparties.fault(self.path, arguments.get("key") or arguments.get("reference", ""))
        if fault == "unavailable":
            self._reply(503, {})
            return
        status, body = self._answer(arguments)
        if fault == "slow":  # at times slower than anybody waits
            time.sleep(self.counterparties.patience * (0.5 + time.time() % 1))
        if fault != "lost":
            self._reply(status, body)

    def _answer(self, arguments: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            result = self.counterparties.answer(self.path, arguments)
        except Refused as refusal:
            return 409, {"refused": refusal.code, "message": refusal.message}
        except GiveUp as error:
            return 400, {"message": str(error)}
        except TryAgain as error:
            return 503, {"message": str(error)}
        return 200, {"result": _plain(result)}

    def _reply(self, status: int, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass  # who asked has given up, or was killed


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: str(v) if name == "expected_on" else v for name, v in asdict(value).items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def serve(run: Run) -> None:
    """Serves until it is killed."""
    Handler.counterparties = Counterparties(run)
    server = ThreadingHTTPServer(("127.0.0.1", run.outside), Handler)
    server.daemon_threads = True
    server.serve_forever()
