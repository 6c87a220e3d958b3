"""Step 11: every parcel gets its SSCC and its label, as PDF and in the language of label printers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handlers import papers, zpl
from handlers.barcodes import sscc
from handlers.contract import Call, External, Refused, operation
from handlers.documents import Stored, record_document
from handlers.orders import load_order, next_number
from handlers.shipping import ADDRESS_FIELDS, address_faults

if TYPE_CHECKING:
    from handlers.ports import Ports


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """What the labels are to carry, as it was when they were asked for."""

    numbers: tuple[str, ...]
    """The parcels' SSCCs."""
    data: dict[str, Any]
    fault: str
    """Why they cannot be printed; empty when they can."""


@dataclass(frozen=True, slots=True)
class Labels:
    pdf: Stored
    zpl: Stored


@operation("shipping.create_label", gives=("sscc",), refuses=("label_refused",))
class CreateLabel(External):
    """Gives each parcel its SSCC and makes `label.pdf` and `label.zpl`. Refuses with `label_refused`."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def prepare(self, call: Call) -> LabelRequest:
        order = load_order(call.session, call.order)
        parcels = papers.newest_parcels(call.session, call.order)
        if not parcels:
            return LabelRequest((), {}, f"No parcel of order {call.order} is packed yet. Pack it first.")
        faults = address_faults({field: getattr(order, field) for field in ADDRESS_FIELDS})
        numbers = []
        for parcel in parcels:
            if parcel.sscc is None:
                parcel.sscc = sscc(next_number(call.session, "sscc"))
            numbers.append(parcel.sscc)
        call.session.flush()
        data = papers.label(call.session, call.order, parcels)
        return LabelRequest(tuple(numbers), data, " ".join(f"{name}: {why}" for name, why in faults.items()))

    def perform(self, request: LabelRequest, key: str) -> Labels:
        if request.fault:
            raise Refused("label_refused", request.fault)
        company = self.ports.renderer.company
        pdf = self.ports.renderer.pdf("label", request.data)
        printer = zpl.parcel_labels({**request.data, "company": company}, request.numbers)
        return Labels(Stored(self.ports.files.put(pdf), len(pdf)), Stored(self.ports.files.put(printer), len(printer)))

    def record(self, call: Call, request: LabelRequest, labels: Labels) -> Mapping[str, Any]:
        title = request.numbers[0] if len(request.numbers) == 1 else f"{len(request.numbers)} parcels"
        record_document(call, "label.pdf", labels.pdf, title=title, key=f"{call.key}:label.pdf")
        record_document(
            call, "label.zpl", labels.zpl, title=title, key=f"{call.key}:label.zpl", content_type="x-application/zpl"
        )
        return {"sscc": list(request.numbers)}
