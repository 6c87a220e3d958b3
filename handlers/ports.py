"""The outside world as handlers see it: one object with every port, made once in `app.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from handlers.contract import Clock
from handlers.couriers.port import Courier
from handlers.documents import FileStore, Renderer
from handlers.mail import MailTransport
from handlers.payments.port import PaymentProvider
from handlers.staff import StaffDirectory


@dataclass(frozen=True, slots=True)
class Ports:
    payments: PaymentProvider
    couriers: Mapping[str, Courier]
    """By code: `courier_a` … `courier_e`."""
    mail: MailTransport
    staff: StaffDirectory
    """Who works here and can be written to."""
    renderer: Renderer
    """Makes PDFs and mail texts from `documents/`."""
    files: FileStore
    """Keeps rendered bytes under their SHA-256."""
    public_url: str
    """Where the customer reaches the tracking page, without a trailing slash."""
    clock: Clock
    """The shop's time, for operations that act outside and have no call to ask."""
