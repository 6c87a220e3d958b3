"""A running installation with orders under way, and a browser. Skipped, with one line, where Chromium is missing."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from werkzeug.serving import make_server

import app
from engine.lint import guard
from settings import load
from tests.clock import MovableClock
from tests.scenarios.shop import OrderHandle, Shop

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
BUILD = ROOT / "web" / "static" / "build" / "page.js"
CHROMIUM = os.environ.get("WAYBILL_TEST_CHROMIUM") or next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
QUIET = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of this folder, and says once what is missing."""
    missing = None
    if not CHROMIUM:
        missing = "no Chromium: apt-get install chromium, or set WAYBILL_TEST_CHROMIUM"
    elif not AXE.exists() or not BUILD.exists():
        missing = "page assets are missing: cd web/frontend && npm ci --ignore-scripts && node build.mjs"
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker("browser")
            if missing:
                item.add_marker(pytest.mark.skip(reason=missing))


@dataclass
class Served:
    """A running installation: its address, and the shop behind it."""

    address: str
    shop: Shop
    app: Flask

    def task(self, order: str) -> str:
        """The path of the order's open task."""
        found = next(t for t in self.shop.engine.order_tasks(order) if t.state == "open")
        return f"/tasks/{found.id}"


@dataclass
class Site(Served):
    """The installation of most tests, with orders at known places."""

    packing: str
    gate: str
    sent_back: str
    pickup: str
    cancelled: str
    closed: str
    doubtful: str


@contextmanager
def served(var: Path) -> Iterator[Served]:
    """A new installation in a folder, served while the block runs."""
    clock = MovableClock(datetime(2026, 11, 23, 8, 31, tzinfo=UTC))
    parts = app.build(load(var=var, demo=True), clock=clock)
    app.prepare(parts)
    web = app.create_app(parts=parts)
    server = make_server("127.0.0.1", 0, web, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with patch.object(guard, "PATIENCE", 50):  # a machine that is busy with other tests gives a check little time
        yield Served(f"http://127.0.0.1:{server.server_port}", Shop(parts, clock), web)
    server.shutdown()
    thread.join()
    parts.database.dispose()


def furnished(running: Served) -> Site:
    """The installation with orders at known places."""
    shop = running.shop

    def placed(name: str, **changes: Any) -> OrderHandle:
        """By a customer with addresses of their own: orders of one address count together at the gates."""
        word = name.split(maxsplit=1)[0].lower()
        return shop.places_order(name=name, email=f"{word}@example.com", street=f"{word.title()}gasse 7", **changes)

    back = placed("Northgate School")
    back.is_decided("approve_reservation", "send_back", comment="Take it from Malaysia.", step=3)
    made = {
        "packing": placed("Hansen & Söhne").goes_to("package_products").number,
        "gate": placed("Lumen Optics").number,
        "sent_back": back.number,
        "pickup": placed("Atelier Dubois").goes_to("confirm_pickup").number,
        "cancelled": placed("Ama Boateng").is_cancelled().number,
        "closed": placed("Penang Marine").goes_to_its_end().number,
        "doubtful": placed("Sofia Marques", phone="12").number,
    }
    shop.clock.advance(hours=1)
    return Site(running.address, shop, running.app, **made)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One installation for all tests of the folder; a test that changes an order places its own."""
    with served(tmp_path_factory.mktemp("var")) as running:
        yield furnished(running)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=list(QUIET))
        yield browser
        browser.close()


Open = Callable[..., Any]


@pytest.fixture(scope="session")
def sessions() -> dict[str, Any]:
    """The cookies of people who have signed in once."""
    return {}


@pytest.fixture
def opened(chromium: Any, site: Site, sessions: dict[str, Any]) -> Iterator[Open]:
    """`opened("sales", width=390, dark=True)`: a page of a person who is signed in; `phone=True`: on a phone, by touch.
    Nothing may go to the console."""
    contexts, complaints = [], []

    def open_page(
        name: str | None, *, width: int = 1440, dark: bool = False, scripts: bool = True, phone: bool = False
    ) -> Any:
        size = {"width": 390, "height": 844} if phone else {"width": width, "height": 900}
        context = chromium.new_context(
            base_url=site.address, viewport=size, has_touch=phone, is_mobile=phone, java_script_enabled=scripts,
            color_scheme="dark" if dark else "light", reduced_motion="reduce", storage_state=sessions.get(name or ""),
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text) if _complains(message) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if name in sessions:
            page.goto("/inbox")
        elif name:
            page.goto("/sign-in")
            page.fill("#name", name)
            page.fill("#password", "demo")
            page.click("form button.primary")
            page.wait_for_url("**/inbox")
            sessions[name] = context.storage_state()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _complains(message: Any) -> bool:
    """Chromium also writes a line for every page that answers 4xx, and for what is asked for when a test has cut the
    connection; that is no fault of the page."""
    refused = message.text.startswith("Failed to load resource") and "/static/" not in message.location["url"]
    return message.type in ("error", "warning") and not (refused or "ERR_INTERNET_DISCONNECTED" in message.text)


@contextmanager
def polled(page: Any) -> Iterator[None]:
    """Lets the page's own clock run past the next look at the server."""
    page.clock.install()
    yield
    page.clock.fast_forward(11_000)
