"""What must hold on every page: nothing axe finds, nothing that scrolls sideways, no complaint in the console."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from engine.definitions import Bundle
from engine.views import Actor
from handlers.contract import SystemClock
from handlers.tables import Order
from tests.browser.conftest import AXE, Open, Site
from tests.browser.modeling import ANALYST, PATIENCE
from tests.gift_wrap import REASON, with_gift_wrap
from tests.looking import bundle
from web.accounts.links import Kind, make_link

Where = Callable[[Site], str]
PAGES: dict[str, tuple[str | None, Where]] = {
    "sign-in": (None, lambda _: "/sign-in"),
    "inbox": ("warehouse", lambda _: "/inbox"),
    "empty inbox": ("finance", lambda _: "/inbox"),
    "task": ("warehouse", lambda site: site.task(site.packing)),
    "several": ("warehouse", lambda site: f"{site.task(site.packing)}/several"),
    "several of the list": ("warehouse", lambda site: f"/tasks/several?task={site.task(site.packing)[7:]}"),
    "correction": ("sales", lambda site: site.task(site.doubtful)),
    "gate": ("stock-approver", lambda site: site.task(site.gate)),
    "gate sent back": ("stock-approver-2", lambda site: site.task(site.sent_back)),
    "gate blocked": ("owner", lambda site: site.task(site.gate)),
    "several gates": ("stock-approver", lambda site: f"{site.task(site.gate)}/sign-several"),
    "emergency": ("owner", lambda site: f"{site.task(site.gate)}/override"),
    "delegations": ("stock-approver", lambda site: f"/{_lent_and_taken(site)}"),
    "delegations of all": ("admin", lambda site: f"/{_lent(site)}"),
    "no alarms": ("payment-approver", lambda _: "/alarms"),
    "orders": ("sales", lambda _: "/orders"),
    "order": ("finance", lambda site: f"/orders/{site.pickup}"),
    "order cancelled": ("sales", lambda site: f"/orders/{site.cancelled}"),
    "order closed": ("sales", lambda site: f"/orders/{site.closed}"),
    "cancel": ("sales", lambda site: f"/orders/{site.packing}/cancel"),
    "note": ("sales", lambda site: f"/orders/{site.packing}/note"),
    "ask": ("sales", lambda site: f"/orders/{site.packing}/question"),
    "inbox with questions": ("finance", lambda site: _question(site) and "/inbox"),
    "questions": ("finance", lambda site: _question(site) and "/questions"),
    "question": ("finance", lambda site: f"/questions/{_question(site)}"),
    "task with a question": ("warehouse", lambda site: _question(site) and site.task(site.packing)),
    "scan": ("warehouse", lambda _: "/scan"),
    "scan of a product": ("sales", lambda _: "/scan?code=product-a"),
    "scan of nothing": ("warehouse", lambda _: "/scan?code=095212340000000019"),
    "board": ("owner", lambda _: "/board"),
    "no incidents": ("owner", lambda _: "/incidents"),
    "incidents": ("owner", lambda site: _incident(site) and "/incidents"),
    "incident": ("finance", lambda site: f"/incidents/{_incident(site)}"),
    "messages": ("owner", lambda site: _messages(site, "")),
    "messages that are kept": ("finance", lambda site: _messages(site, "?state=waiting")),
    "message": ("owner", lambda site: _messages(site, "/1")),
    "stock": ("warehouse", lambda _: "/stock"),
    "people": ("admin", lambda _: "/people"),
    "new person": ("admin", lambda _: "/people/new"),
    "person": ("admin", lambda _: "/people/stock-approver"),
    "own page": ("sales", lambda _: "/people/sales"),
    "teams": ("admin", lambda _: "/people/teams"),
    "team": ("admin", lambda _: "/people/teams/sales"),
    "journal": ("owner", lambda _: "/journal"),
    "access review": ("owner", lambda site: _lent(site) and "/access-review"),
    "forgotten password": (None, lambda _: "/forgot"),
    "welcome": (None, lambda site: _link(site, "welcome", "invitation")),
    "new password": (None, lambda site: _link(site, "reset", "reset")),
    "mails": ("sales", lambda _: "/mails"),
    "mail": ("sales", lambda _: "/mails/1"),
    "processes": ("analyst", lambda _: "/processes"),
    "version": ("analyst", lambda _: "/processes/order_fulfillment/1"),
    "version that waits": ("analyst-2", lambda site: f"/processes/order_fulfillment/{waiting_version(site)}"),
    "own version": ("analyst", lambda site: f"/processes/order_fulfillment/{waiting_version(site)}"),
    "what it does": ("owner", lambda site: f"/processes/order_fulfillment/{waiting_version(site)}/impact"),
    "more": ("shipping", lambda _: "/more"),
    "not there": ("sales", lambda _: "/orders/WB-1"),
    "modeler": ("analyst", lambda _: "/modeler"),
    "canvas": ("analyst", lambda site: _draft(site, "")),
    "drafted forms": ("analyst", lambda site: _draft(site, "/forms")),
    "drafted form": ("analyst", lambda site: _draft(site, "/forms/package_products")),
    "drafted tables": ("analyst", lambda site: _draft(site, "/decisions")),
    "drafted table": ("analyst", lambda site: _draft(site, "/decisions/courier_choice")),
    "moves": ("analyst", lambda site: _moves(site, "order_fulfillment")),
    "start": ("analyst", lambda site: _startable(site, "looking-around")),
    "account": ("sales", lambda _: "/account"),
    "second factor": ("sales", lambda _: "/account/second-factor"),
    "times and numbers": ("sales", lambda _: "/account/local-times"),
    "alarms": ("owner", lambda site: _alarm(site) and "/alarms"),
    "alarm to look at": ("stock-approver", lambda site: _alarm(site) and "/alarms"),
    "inbox with an alarm": ("stock-approver", lambda site: _alarm(site) and "/inbox"),
    "gate opened in an emergency": ("stock-approver", lambda site: f"/tasks/{_alarm(site)}"),
    "track": (None, lambda site: _tracking(site, site.pickup)),
    "track delivered": (None, lambda site: _tracking(site, site.closed)),
}
NO_PAGE = {
    "pages.home": "leads to the inbox",
    "pages.inbox_list": "a part of the inbox",
    "pages.inbox_questions": "a part of the inbox",
    "pages.order_live": "a part of the order",
    "pages.board_live": "a part of the board",
    "pages.moves_live": "a part of the page of moves",
    "pages.order_diagram": "a diagram as BPMN",
    "pages.process_diagram": "a diagram as BPMN",
    "pages.process_download": "a bundle",
    "pages.order_document": "a document",
    "pages.track_invoice": "a document",
    "pages.mail_body": "a mail as it was sent",
    "pages.access_review_could": "a table as a file",
    "pages.access_review_did": "a table as a file",
    "pages.second_step": "comes after a password: looked at in test_account.py",
}
"""Addresses that answer with something else than a page, and what it is."""
SAID = """() => [
  [document.querySelectorAll('h1').length === 1, 'not one h1'],
  [document.title.trim().length > 8, 'no title'],
  [document.querySelectorAll('main').length === 1, 'not one main'],
  [document.documentElement.lang, 'no language'],
  [document.querySelector('a.skip') === document.querySelector('a[href], button, input, select, textarea'),
    'the skip link is not first'],
  [document.querySelector(document.querySelector('a.skip')?.getAttribute('href') ?? 'none'), 'it leads nowhere'],
].filter(([fine]) => !fine).map(([, fault]) => fault)"""
MOVES = """() => {
  const seconds = (text) => Math.max(...text.split(',').map(parseFloat));
  return [...document.querySelectorAll('body *')].filter((element) => {
    const style = getComputedStyle(element);
    return seconds(style.transitionDuration) > 0.02
      || (style.animationName !== 'none' && seconds(style.animationDuration) > 0.02);
  }).slice(0, 5).map((element) => element.outerHTML.slice(0, 120));
}"""
UNSEEN_FOCUS = """() => {
  const look = (element) => {
    const around = [[element], [element, '::after'], [element.parentElement], [element.nextElementSibling]];
    return around.filter(([one]) => one).map(([one, part]) => {
      const s = getComputedStyle(one, part);
      const outline = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) ? s.outline : '';
      return [outline, s.boxShadow, s.borderColor].join();
    }).join();
  };
  const reached = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  return [...document.querySelectorAll(reached)].filter((element) => {
    if (element.disabled || element.closest('svg, .djs-container') || !element.checkVisibility()) return false;
    document.activeElement.blur();
    const before = look(element);
    element.focus();
    return document.activeElement === element && look(element) === before;
  }).slice(0, 5).map((element) => element.outerHTML.slice(0, 120));
}"""


def violations(page: Any, *, colours_only: bool = False) -> list[str]:
    """What axe finds; the drawing of bpmn-js itself is left out."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    only = {"runOnly": ["color-contrast", "link-in-text-block"]} if colours_only else {}
    found = page.evaluate(
        "options => axe.run({exclude: ['.djs-container > svg', '.djs-overlay-container']}, options)",
        {"resultTypes": ["violations"], **only},
    )
    return [f"{v['id']}: {node['html'][:160]}" for v in found["violations"] for node in v["nodes"]]


def _dark(page: Any, name: str) -> dict[str, list[str]]:
    """The same page in the dark: only the colours are others."""
    page.emulate_media(color_scheme="dark")
    found = violations(page, colours_only=True)
    page.emulate_media(color_scheme="light")
    return {name: found}


def _unseen_focus(page: Any) -> list[str]:
    """What can have the focus and does not show it."""
    page.keyboard.press("Tab")  # who uses the keyboard is shown where they are
    found: list[str] = page.evaluate(UNSEEN_FOCUS)
    return found


def ready(page: Any) -> None:
    """Diagram or modeler are drawn, when there is one."""
    if page.locator("figure.diagram").count():
        page.wait_for_selector("figure.diagram[data-ready]")
    for drawn, ready in (("main.drafting", "body[data-ready]"), ("#canvas", "html[data-ready=yes]")):
        if page.locator(drawn).count():
            page.wait_for_selector(ready, timeout=PATIENCE)


def waiting_version(site: Site) -> int:
    """A version that waits for the second analyst's consent."""
    engine = site.shop.engine
    bundle = Bundle(with_gift_wrap(engine.bundle("order_fulfillment", 1).files))
    asked = engine.propose(bundle, Actor("analyst"), reason=REASON, base_version=1, key="order_fulfillment")
    return next(version.version for version in asked if version.key == "order_fulfillment")


def _question(site: Site) -> str:
    """A question that waits for an answer, about the order that waits to be packed."""
    engine = site.shop.engine
    if not (waiting := engine.order_questions(site.packing)):
        warehouse = Actor("warehouse", frozenset(["warehouse"]))
        waiting = [engine.ask(site.packing, warehouse, "Has the deposit arrived? " * 12, team="finance")]
    return waiting[0].id


def _tracking(site: Site, order: str) -> str:
    with site.shop.engine.reading() as session:
        return f"/track/{session.get_one(Order, order).track_token}"


def _lent(site: Site) -> str:
    """The delegations, when somebody signs for another person; seen to once."""
    engine, now = site.shop.engine, site.shop.clock.now()
    if not engine.running_delegations("payment-approvers"):
        lender = Actor("payment-approver", frozenset(["payment-approvers"]))
        engine.delegate(lender, principal=lender.name, to="sales", team="payment-approvers", starts_at=now,
                        ends_at=now + timedelta(days=14), reason="On holiday, back in December.")  # fmt: skip
    return "delegations"


def _lent_and_taken(site: Site) -> str:
    """The page of what a person has lent and taken: running, to come, and revoked."""
    engine, now = site.shop.engine, site.shop.clock.now()
    lender, other = (Actor(name, frozenset([f"{name}s"])) for name in ("stock-approver", "payment-approver"))
    if not engine.delegations(lender):
        for who, to, days, why in (
            (lender, "shipping", 0, "On holiday until the third of December, without a net for most of it."),
            (lender, "shipping", 30, "Christmas."), (lender, "finance", 0, "Dentist."), (other, lender.name, 0, "Ill."),
        ):  # fmt: skip
            starts = now + timedelta(days=days)
            made = engine.delegate(who, principal=who.name, to=to, team=f"{who.name}s", starts_at=starts,
                                   ends_at=starts + timedelta(days=10), reason=why)  # fmt: skip
            if to == "finance":
                engine.revoke_delegation(made.id, who)
    return "delegations"


def _alarm(site: Site) -> str:
    """The gate that the owner opened in an emergency. Somebody has looked at another one already."""
    engine = site.shop.engine
    owner = Actor("owner", frozenset(["owner"]), sees_all=True, display_name="Dana Levy", is_owner=True)
    for place in range(0 if engine.alarms(owner) else 2):
        order = site.shop.places_order(name="Kestrel Outdoor", email="kestrel@example.com", street="Am Turm 3")
        gate, reading = order.task("approve_reservation").id, order.detail("approve_reservation", owner).approval
        assert reading is not None
        engine.override(gate, owner, snapshot=reading.snapshot,
                        reason="Both approvers are ill, and the last van of the year leaves at noon.")  # fmt: skip
        if place == 0:
            helena = Actor("stock-approver", frozenset(["stock-approvers"]), display_name="Helena Brandt")
            engine.acknowledge_alarm(engine.alarms(owner)[0].id, helena,
                                     "Counted again with the warehouse: nothing to undo.")  # fmt: skip
    return engine.alarms(owner)[0].task


def _incident(site: Site) -> str:
    """The job of an order whose step failed."""
    if not site.shop.engine.incidents():
        site.shop.replaces("inventory.check", _fails)
        site.shop.places_order(name="Prishtina Optika")
        site.shop.replaces("inventory.check", None)
    return str(site.shop.engine.incidents()[0].jobs[0].id)


def _fails(call: object, region: str) -> object:
    raise LookupError(f"The region {region} has no stock-keeping system at 10.1.4.17, port 8443 did not answer in time")


def _messages(site: Site, what: str) -> str:
    """The page of messages, when there are some: about an ended order, about none, and one that is early."""
    for order, message_id in ((site.closed, "again"), ("WB-99999", "astray"), (site.pickup, "early")):
        site.shop.engine.deliver(
            "courier.reported", order, {"status": "delayed", "booking": "CA-2026-000417", "place": "Leipzig",
                                        "note": "The van has broken down near Halle, tomorrow at the latest."},
            source="webhook", message_id=message_id)  # fmt: skip
    return f"/messages{what}"


def _draft(site: Site, part: str) -> str:
    """A draft of the order's process in the modeler."""
    engine = site.shop.engine
    found = next((draft for draft in engine.drafts() if draft.title == "Swept"), None)
    draft = found or engine.open_draft(ANALYST, title="Swept", key="order_fulfillment", base_version=1)
    return f"/modeler/{draft.id}{part}"


def _moves(site: Site, key: str) -> str:
    """The moving of the live orders to the version they have already: nothing moves, and the page says so."""
    engine = site.shop.engine
    found = engine.migrations(key) or [
        engine.migrate(key, 1, ANALYST, reason="To see the page")
    ]
    return f"/processes/{key}/migrations/{found[0].id}"


def _startable(site: Site, key: str) -> str:
    """A process beside the shop's that a person starts."""
    site.shop.engine.deploy(bundle("Look around", key=key), ANALYST, reason="To be started")
    return f"/processes/{key}/start"


def _link(site: Site, page: str, kind: Kind) -> str:
    """The page behind a link that holds. Each person has one link, so each kind has a person."""
    name = {"invitation": "analyst-2", "reset": "payment-approver-2"}[kind]
    with site.shop.parts.database.write() as session:
        return f"/{page}/{make_link(session, name, kind, SystemClock().now())}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_fit_for_everybody(opened: Open, site: Site, name: str) -> None:
    """axe finds nothing, on a desk and on a phone, in light and dark; nothing scrolls sideways at 390 px; it has one
    heading, a title and a skip link; what has the focus shows it; nothing moves for who wants no motion."""
    person, where = PAGES[name]
    page = opened(person)
    page.goto(where(site), wait_until="load")
    ready(page)

    found = {"desk, light": violations(page)} | _dark(page, "desk, dark")
    found["said"] = page.evaluate(SAID)
    found["moves"] = page.evaluate(MOVES)
    found["focus"] = _unseen_focus(page)
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_timeout(100)  # the page lays itself out anew
    wide = page.evaluate("document.documentElement.scrollWidth")
    found |= {"phone, light": violations(page)} | _dark(page, "phone, dark")
    found["sideways"] = [f"{wide} px wide"] if wide > 390 else []

    assert {what: faults for what, faults in found.items() if faults} == {}


def test_every_page_is_in_the_sweep(site: Site) -> None:
    """A new page has to be added to PAGES; an address that is no page says so in NO_PAGE."""
    addresses = site.app.url_map.bind("waybill")
    swept = {addresses.match(where(site).partition("?")[0])[0] for _, where in PAGES.values()}
    pages = {
        rule.endpoint
        for rule in site.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint.startswith("pages.")
    }

    assert pages - swept - set(NO_PAGE) == set()
    assert set(NO_PAGE) - pages == set(), "these are gone"
    assert set(NO_PAGE) & swept == set(), "these are swept"


@pytest.mark.parametrize("address", [
    lambda _: "/inbox/list", lambda site: f"/orders/{site.pickup}/live", lambda _: "/board/live",
])  # fmt: skip
def test_a_part_is_no_page(opened: Open, site: Site, address: Where) -> None:
    """The parts that a page asks for by itself have no head of their own."""
    answer = opened("owner").request.get(address(site))

    assert "<html" not in answer.text()


def test_a_refused_form_is_accessible(opened: Open, site: Site) -> None:
    """With its summary, its marked fields and its row of errors; the summary has the focus."""
    page = opened("warehouse", width=390)
    page.goto(site.task(site.packing))
    page.fill("input[name='/parcels/0/weight_g']", "heavy")
    page.get_by_role("button", name="Complete task").last.click()
    page.wait_for_selector("[role=alert]")

    assert page.evaluate("document.activeElement.matches('[role=alert]')")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_gates_signed_together_with_one_refused_are_accessible(opened: Open, site: Site) -> None:
    """What was signed is gone; what was refused is still ticked, in light and dark, on a phone and on a desk."""
    fine, changed = (site.shop.places_order(name=name) for name in ("Prishtina Optika", "Maria Okafor"))
    page = opened("stock-approver-2", width=390)
    ids = [site.task(order.number).removeprefix("/tasks/") for order in (fine, changed)]
    page.goto(f"/tasks/{ids[0]}/sign-several?task={ids[0]}&task={ids[1]}")
    with site.shop.engine.transaction() as session:
        session.get_one(Order, changed.number).customer_name = "Maria Okafor-Lind"
    page.fill("#password", "demo")
    page.get_by_role("button", name="Sign: approve those ticked").click()
    page.get_by_role("heading", name="1 signed, 1 not").wait_for()

    ticked = page.locator(".gate", has=page.locator("input:checked"))
    assert changed.number in ticked.inner_text()
    assert "has changed since you opened the page" in ticked.inner_text()
    assert page.evaluate("document.activeElement.matches('[role=alert]')")
    assert violations(page) == []
    assert _dark(page, "phone")["phone"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1440, "height": 900})
    assert violations(page) == []
