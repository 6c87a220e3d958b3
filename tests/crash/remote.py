"""The ports of provider and couriers over HTTP: what a web or worker process of a run has in place of embedded ones."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from handlers.contract import GiveUp, Refused, TryAgain, seconds_left
from handlers.couriers.embedded import EmbeddedCourier
from handlers.couriers.port import Address, Booking, Package, Rate, Report
from handlers.payments.embedded import EmbeddedProvider
from handlers.payments.port import Receipt, WrongRequest


class Line:
    """Asks one counterparty. A connection error, a time-out and a 5xx are all the same: it may have done the work."""

    def __init__(self, port: int, path: str, patience: float) -> None:
        """`patience`: seconds that one answer may take."""
        self._port, self._path, self._patience = port, path, patience

    def ask(self, method: str, /, **arguments: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=min(self._patience, seconds_left()))
        try:
            connection.request("POST", f"{self._path}/{method}", json.dumps(arguments))
            answer = connection.getresponse()
            status, body = answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TryAgain(f"{self._path} did not answer: {type(error).__name__}.") from error
        finally:
            connection.close()
        return _meaning(self._path, status, body)


def _meaning(who: str, status: int, body: Mapping[str, Any]) -> Any:
    if status == 200:
        return body["result"]
    if status == 409:
        raise Refused(body["refused"], body["message"])
    if status == 400:
        raise WrongRequest(body["message"])
    if status >= 500:
        raise TryAgain(f"{who} answered {status}.")
    raise GiveUp(f"{who} answered {status}.")


class RemoteProvider:
    """Implements `PaymentProvider`."""

    key_window = EmbeddedProvider.key_window

    def __init__(self, port: int, patience: float) -> None:
        self._line = Line(port, "/payments", patience)

    def find(self, key: str) -> Receipt | None:
        found = self._line.ask("find", key=key)
        return None if found is None else Receipt(**found)

    def authorise(self, key: str, *, order: str, method: str, token: str | None, amount: int, currency: str) -> Receipt:
        return Receipt(**self._line.ask(
            "authorise", key=key, order=order, method=method, token=token, amount=amount, currency=currency))

    def capture(self, key: str, *, order: str, authorisation: str, amount: int, currency: str) -> Receipt:
        return Receipt(**self._line.ask(
            "capture", key=key, order=order, authorisation=authorisation, amount=amount, currency=currency))

    def void(self, key: str, *, order: str, authorisation: str) -> Receipt:
        return Receipt(**self._line.ask("void", key=key, order=order, authorisation=authorisation))

    def refund(self, key: str, *, order: str, capture: str, amount: int, currency: str) -> Receipt:
        return Receipt(**self._line.ask(
            "refund", key=key, order=order, capture=capture, amount=amount, currency=currency))


class RemoteCourier:
    """Implements `Courier`."""

    key_window: timedelta = EmbeddedCourier.key_window

    def __init__(self, code: str, port: int, patience: float) -> None:
        self.code = code
        self._line = Line(port, f"/couriers/{code}", patience)

    def find(self, key: str) -> Booking | None:
        found = self._line.ask("find", key=key)
        return None if found is None else _booking(found)

    def rates(self, *, destination: Address, packages: Sequence[Package], shipping_method: str) -> list[Rate]:
        return [Rate(**rate) for rate in self._line.ask("rates", **_goods(destination, packages, shipping_method))]

    def book(
        self, key: str, *, order: str, destination: Address, packages: Sequence[Package], shipping_method: str
    ) -> Booking:
        goods = _goods(destination, packages, shipping_method)
        return _booking(self._line.ask("book", key=key, order=order, **goods))

    def label(self, *, reference: str) -> bytes:
        return str(self._line.ask("label", reference=reference)).encode()

    def track(self, *, reference: str) -> list[Report]:
        return [Report(**report) for report in self._line.ask("track", reference=reference)]

    def proof(self, *, reference: str) -> str:
        return str(self._line.ask("proof", reference=reference))

    def cancel(self, key: str, *, reference: str) -> None:
        self._line.ask("cancel", key=key, reference=reference)


def _goods(destination: Address, packages: Sequence[Package], shipping_method: str) -> dict[str, Any]:
    return {"destination": asdict(destination), "packages": [asdict(package) for package in packages],
            "shipping_method": shipping_method}


def _booking(found: Mapping[str, Any]) -> Booking:
    return Booking(found["reference"], found["tracking_number"], date.fromisoformat(found["expected_on"]))


def provider_of(port: int, patience: float) -> Callable[..., RemoteProvider]:
    """Stands where the product makes its embedded provider."""
    return lambda *_path_and_clock, **_faults: RemoteProvider(port, patience)


def courier_of(port: int, patience: float) -> Callable[..., RemoteCourier]:
    """Stands where the product makes an embedded courier."""
    return lambda code, *_profile_path_clock, **_faults: RemoteCourier(code, port, patience)
