"""Words for tests of the shipping operations: an order that was taken, reserved, packed, booked, on its way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from handlers import inventory, orders, shipping
from handlers.contract import Call, External, Refused
from handlers.couriers import desk
from handlers.couriers.embedded import EmbeddedCourier, Fault
from handlers.couriers.journeys import Plan
from handlers.couriers.operations import BookCourier, CancelCourier, ProveDelivery
from handlers.couriers.profiles import PROFILES
from handlers.documents import FileStore, Renderer
from handlers.labels import CreateLabel
from handlers.tables import Order, Shipment
from tests import shopfloor
from tests.shopfloor import FIRST, order_form

DOCUMENTS = Path(__file__).resolve().parents[1] / "documents"
PARCEL = {"weight_g": 1_200, "length_cm": 40, "width_cm": 30, "height_cm": 20, "fragile": False}


@dataclass
class Floor:
    """One order on its way through steps 9 to 16, with real couriers, renderer and file store beside it."""

    session: Session
    clock: Any
    folder: Path
    plan: Plan = field(default_factory=Plan)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By method, the faults of the next calls."""
    variables: dict[str, Any] = field(default_factory=dict)
    visits: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    queued: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What operations queued beside the token: operation and arguments."""

    def __post_init__(self) -> None:
        couriers = {code: self._courier(code) for code in PROFILES}
        self.ports: Any = SimpleNamespace(
            clock=self.clock,
            couriers=couriers,
            renderer=Renderer(DOCUMENTS),
            files=FileStore(self.folder / "files"),
            public_url="http://127.0.0.1:8000",
        )

    def _courier(self, code: str) -> EmbeddedCourier:
        return EmbeddedCourier(
            code,
            PROFILES[code],
            self.folder / "couriers.sqlite",
            self.clock,
            plan=lambda _order, _courier: self.plan,
            faults=lambda method, _key: self.faults[method].pop(0) if self.faults.get(method) else None,
            sleep=lambda _seconds: None,
        )

    # --- calling ---

    def call(self, element: str = "an_element", *, actor: str = "warehouse") -> Call:
        visit = self.visits[element] = self.visits.get(element, 0) + 1
        return replace(
            shopfloor.call(self.session, self.clock, actor=actor, variables=self.variables),
            element=element,
            key=f"{FIRST}:{element}:{visit}",
            later=lambda operation, **arguments: self.queued.append((operation, arguments)),
            ports=self.ports,
            history=lambda: {"events": self.history},
        )

    def ask(self, kind: type[External], variable: str, *, attempts: int = 1, **arguments: Any) -> dict[str, Any]:
        """Runs an external operation as the engine does: arguments and result are frozen on their way.

        With more attempts it is performed again with the same key, as after a crash.
        """
        external = kind(self.ports)
        call = self.call(variable)
        request = _frozen(external.prepare(call, **arguments))
        try:
            for _ in range(attempts):
                result = _frozen(external.perform(request, call.key))
        except Refused as refusal:
            external.refused(call, request, refusal)
            raise
        self.variables[variable] = dict(external.record(call, request, result) or {})
        self.session.flush()
        return self.variables[variable]

    # --- the way of an order ---

    def takes(self, *products: Any, **changes: Any) -> Order:
        shopfloor.stock_up(self.session, self.clock, *products)
        self.variables["order"] = orders.receive(self.call("receive_order"), order_form(**changes))
        order = self.order
        inventory.reserve(self.call("reserve"), order.stock_region)
        self.queued.clear()
        return order

    @property
    def order(self) -> Order:
        return orders.load_order(self.session, FIRST)

    @property
    def shipment(self) -> Shipment:
        """The newest."""
        return shipping.shipments(self.session, FIRST)[-1]

    def states(self) -> list[str]:
        return [shipment.state for shipment in shipping.shipments(self.session, FIRST)]

    def prepares(self, **changes: Any) -> dict[str, Any]:
        lines = [{"sku": line.sku, "quantity": line.quantity, "location": "aisle 1"} for line in self.order.lines]
        form = {"lines": lines, "packing_slip_enclosed": True, **changes}
        return dict(shipping.prepare(self.call("prepare_shipment"), form))

    def packs(self, **changes: Any) -> dict[str, Any]:
        contents = [{"sku": line.sku, "parcel": 1, "quantity": line.quantity} for line in self.order.lines]
        goods = sum(line.quantity * line.product.weight_g for line in self.order.lines)
        parcel = {**PARCEL, "weight_g": max(PARCEL["weight_g"], goods)}
        form = {"parcels": [parcel], "contents": contents, **changes}
        return dict(shipping.pack(self.call("package_products"), form))

    def labels(self, **how: Any) -> dict[str, Any]:
        return self.ask(CreateLabel, "label", **how)

    def books(self, courier: str = "courier_a", shipping_method: str = "standard", **how: Any) -> dict[str, Any]:
        return self.ask(BookCourier, "booking", courier=courier, shipping_method=shipping_method, **how)

    def proves(self, **how: Any) -> dict[str, Any]:
        return self.ask(ProveDelivery, "proof", courier=self.variables["booking"]["courier"], **how)

    def calls_off(self, **how: Any) -> dict[str, Any]:
        return self.ask(CancelCourier, "called_off", **how)

    def is_packed(self, *products: Any, **changes: Any) -> Order:
        order = self.takes(*products, **changes)
        self.prepares()
        self.packs()
        self.labels()
        return order

    def is_booked(self, courier: str = "courier_a", **changes: Any) -> Order:
        order = self.is_packed(**changes)
        self.books(courier)
        return order

    def is_on_its_way(self, **changes: Any) -> Order:
        order = self.is_booked(**changes)
        self.confirms_pickup()
        return order

    def confirms_pickup(self, **form: Any) -> dict[str, Any]:
        call = self.call("confirm_pickup", actor="shipping")
        form = {"courier": self.variables["booking"]["courier"], **form}
        self.variables["pickup"] = dict(desk.confirm_pickup(call, form))
        return self.variables["pickup"]


def _frozen(value: Any) -> Any:
    """What comes back after it was kept as a job's arguments or result."""
    kind = TypeAdapter(type(value))
    return kind.validate_python(kind.dump_python(value, mode="json"))
