"""Words for tests of money: an order to charge, the embedded provider, operations run as the engine runs them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.operations import freeze, thaw
from handlers import invoices
from handlers.balance import Balance, balance
from handlers.contract import Call, Refused, build_registry
from handlers.documents import Renderer
from handlers.payments.bank import BankTransfers
from handlers.payments.embedded import EmbeddedProvider
from handlers.payments.operations import CapturePayment, ConfirmRefunds, RefundPayment
from handlers.tables import Invoice, Order, OrderLine, Payment, Product
from tests.conftest import MovableClock
from tests.postroom import renderer

ORDER = "WB-10001"


@dataclass
class TillPorts:
    """The ports that money needs."""

    payments: EmbeddedProvider
    renderer: Renderer = field(default_factory=renderer)
    public_url: str = "https://shop.example"
    clock: MovableClock = field(kw_only=True)


class Till:
    """One order's money. Every call of a step is a new visit; what operations queue is kept in `queued`."""

    def __init__(self, session: Session, clock: MovableClock, folder: Path) -> None:
        self.session, self.clock = session, clock
        self.provider = EmbeddedProvider(folder / "provider.sqlite", clock, sleep=lambda seconds: None)
        self.bank = BankTransfers(self.provider)
        self.ports = TillPorts(self.provider, clock=clock)
        self.registry = build_registry(
            self.ports,
            {
                "payment.capture": CapturePayment,
                "payment.refund": RefundPayment,
                "payment.confirm_refunds": ConfirmRefunds,
            },
        )
        self.variables: dict[str, Any] = {}
        self.queued: list[tuple[str, dict[str, Any]]] = []
        self._visits = itertools.count(1)

    def call(self, key: str | None = None) -> Call:
        key = key or f"{ORDER}:step:{next(self._visits)}"
        return Call(
            ORDER, "finance", self.clock, self.session, "step", key, self.variables,
            lambda operation, **arguments: self.queued.append((operation, arguments)), ports=self.ports,
        )  # fmt: skip

    # --- external operations, in their three parts -------------------------------------------------------------------

    def prepare(self, name: str, **parameters: Any) -> tuple[Call, Any]:
        """The command that queues the job: the call and the frozen arguments."""
        call = self.call()
        external = self.registry[name].external
        assert external is not None
        return call, freeze(external.prepare(call, **parameters))

    def perform(self, name: str, call: Call, frozen: Any) -> Any:
        """One attempt of a worker; a refusal is a result of code and message, as it is when a job is finished later."""
        operation = self.registry[name]
        assert operation.external is not None
        try:
            return freeze(operation.external.perform(thaw(operation.arguments_type, frozen), call.key))
        except Refused as refusal:
            return Refused(refusal.code, refusal.message)

    def finish(self, name: str, call: Call, frozen: Any, result: Any) -> Mapping[str, Any]:
        """The finishing command. Raises the refusal after it was written down."""
        operation = self.registry[name]
        assert operation.external is not None
        arguments = thaw(operation.arguments_type, frozen)
        if isinstance(result, Refused):
            operation.external.refused(call, arguments, result)
            raise result
        return operation.external.record(call, arguments, thaw(operation.result_type, result)) or {}

    def run(self, name: str, **parameters: Any) -> Mapping[str, Any]:
        """All three parts at once."""
        call, frozen = self.prepare(name, **parameters)
        return self.finish(name, call, frozen, self.perform(name, call, frozen))

    def run_queued(self, name: str) -> Mapping[str, Any]:
        """Runs the queued operation of this name, of which there is one."""
        ((_, arguments),) = [job for job in self.queued if job[0] == name]
        self.queued = [job for job in self.queued if job[0] != name]
        return self.run(name, **arguments)

    # --- shop words --------------------------------------------------------------------------------------------------

    def invoice(self) -> Mapping[str, Any]:
        return invoices.generate(self.call())

    def credit(self, scope: str, **items: int) -> Mapping[str, Any]:
        """`credit("part", product_a=2)`."""
        lost = [{"sku": sku.replace("_", "-"), "quantity": quantity} for sku, quantity in items.items()]
        self.variables["handle_exception"] = {"choice": scope, "items": lost}
        return invoices.credit(self.call(), scope)

    def capture(self, method: str = "credit_card") -> Mapping[str, Any]:
        return self.run("payment.capture", method=method)

    def refund(self) -> Mapping[str, Any]:
        return self.run("payment.refund")

    def transfer(self, amount: int, currency: str = "EUR", token: str | None = None) -> dict[str, Any]:
        """A customer's transfer is reported and its message taken."""
        key = f"transfer {next(self._visits)}"
        payload = self.bank.receive(
            key, order=ORDER, amount=amount, currency=currency, payer="A", token=token
        ).payload()
        self.variables["transfer"] = payload
        return payload

    @property
    def order(self) -> Order:
        return self.session.get_one(Order, ORDER)

    @property
    def balance(self) -> Balance:
        return balance(self.session, ORDER)

    @property
    def papers(self) -> list[Invoice]:
        return list(invoices.papers_of(self.session, ORDER))

    @property
    def rows(self) -> list[tuple[str, str, int]]:
        """Kind, state and amount of every payment row."""
        rows = self.session.scalars(select(Payment).order_by(Payment.id))
        return [(row.kind, row.state, row.amount) for row in rows]

    @property
    def books(self) -> int:
        """What the provider says the shop has of this order."""
        return self.provider.balances().get(ORDER, 0)


def sell(session: Session, clock: MovableClock, lines: Mapping[str, tuple[int, int]], **changes: Any) -> Order:
    """An order of `{sku: (quantity, unit price)}`."""
    values: dict[str, Any] = {
        "number": ORDER,
        "customer_name": "Erika Muster",
        "email": "erika@example.com",
        "phone": "",
        "street": "Prinzipalmarkt 12",
        "city": "Münster",
        "region": "",
        "postal_code": "48143",
        "country": "DE",
        "payment_method": "credit_card",
        "payment_token": None,
        "shipping_method": "standard",
        "stock_region": "europe",
        "follow_up": "request_feedback",
        "currency": "EUR",
        "source": "page",
        "track_token": "unguessable",
        "placed_at": clock.now(),
        "placed_by": "sales",
    }
    order = Order(**{**values, **changes})
    for sku, (_, price) in lines.items():
        session.merge(Product(sku=sku, name=sku.title(), unit_price=price, currency=order.currency, weight_g=100))
    session.flush()
    order.lines = [
        OrderLine(position=position, sku=sku, name=sku.title(), quantity=quantity, unit_price=price)
        for position, (sku, (quantity, price)) in enumerate(lines.items(), 1)
    ]
    session.add(order)
    session.flush()
    return order
