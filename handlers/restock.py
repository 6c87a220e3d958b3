"""Step 20: what to buy or move so that the next order finds full shelves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from handlers.contract import Call, Choice, Fact, FieldError, FormContext, Problem, operation
from handlers.picklists import REGIONS
from handlers.stock import stock_levels, taken
from handlers.tables import Product, RestockProposal

CHECKS = ("packing_materials", "printer", "workplace", "scanner")
"""What the form of step 20 has ticked before the next order."""


@operation(
    "inventory.propose_restock", gives=("proposals", "units"),
    takes=("restock?",),
)
def propose_restock(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keeps the proposals that a person made or left standing; a quantity of 0 proposes nothing."""
    proposals = form.get("restock") or []
    known = set(call.session.scalars(select(Product.sku).where(Product.sku.in_({item["sku"] for item in proposals}))))
    wrong = [
        FieldError(f"/restock/{position}/sku", f"There is no product “{item['sku']}” in the catalogue.")
        for position, item in enumerate(proposals)
        if item["sku"] not in known
    ]
    if wrong:
        raise Problem(*wrong)
    made = [item for item in proposals if item["quantity"]]
    call.session.add_all(
        RestockProposal(
            order_number=call.order, sku=item["sku"], region=item["region"], quantity=item["quantity"], at=call.now
        )
        for item in made
    )
    return {"proposals": len(made), "units": sum(item["quantity"] for item in made)}


@operation("inventory.restock_form")
def restock_form(call: Call) -> FormContext:
    """Proposes to buy exactly what this order took, where it took it, and shows what is left there."""
    took = taken(call.session, call.order)
    everywhere = stock_levels(call.session, {sku for sku, _ in took})
    levels = [level for level in everywhere if (level.sku, level.region) in took]
    proposals = [{"sku": sku, "region": region, "quantity": units} for (sku, region), units in took.items()]
    products = tuple(dict.fromkeys(Choice(level.sku, level.name) for level in levels))
    return FormContext(
        data={"restock": proposals},
        example={"checks": list(CHECKS), "restock": proposals},
        choices={"restock.sku": products} if products else {},
        facts=tuple(
            Fact(
                f"{level.name}, {REGIONS.get(level.region, level.region)}",
                f"{took[level.sku, level.region]:,} taken, {level.available:,} available",
            )
            for level in levels
        ),
    )
