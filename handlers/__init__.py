"""What the diagram's service tasks do, and the contract with the engine. Knows no SpiffWorkflow and no Flask."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handlers.contract import Registry
    from handlers.ports import Ports

OPERATIONS = (
    "orders",
    "customers",
    "inventory",
    "restock",
    "closing",
    "invoices",
    "payments.operations",
    "payments.forms",
    "shipping",
    "labels",
    "tracking",
    "couriers.operations",
    "couriers.desk",
    "documents",
    "mail",
    "messages",
    "staff",
    "archive",
)
"""The modules that declare operations. A new one is named here, nowhere else."""


def registry(ports: Ports) -> Registry:
    """Every operation that a diagram may name, joined with the outside world."""
    for module in OPERATIONS:
        import_module(f"handlers.{module}")
    from handlers.contract import build_registry
    from handlers.reports_in import PICKED_UP, REPORTED, STOCK_ARRIVED, TRANSFER

    return build_registry(ports, messages=(PICKED_UP, REPORTED, STOCK_ARRIVED, TRANSFER))
