"""Orders on pages: list, one order, cancelling, incidents, mails, tracking; and what they ask of the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine.store.tables import Instance, Job
from engine.views import Actor
from handlers.tables import Document, Mail, Order, Payment, Reservation, Shipment
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_api_journey import do_next
from tests.web.visitor import Visitor, open_task, visitor
from web.services import KEY

LIST_PAGE = 12


def placed(world: World, **changes: object) -> str:
    number = world.place(**changes)
    world.work()
    return number


def breaks(world: World, order: str, error: str = "KeyError: XK") -> str:
    """One job of the order gives up; its id."""
    with world.database.write() as session:
        job = session.scalars(select(Job).where(Job.business_key == order, Job.kind == "operation")).first()
        if job is None:
            job = session.scalars(select(Job).where(Job.business_key == order)).first()
        assert job is not None
        session.execute(update(Job).where(Job.id == job.id).values(state="dead", error=error, attempts=8))
        return str(job.id)


def world_actor(name: str) -> Actor:
    return Actor(name, frozenset({name}))


def test_a_note_stands_in_the_history_for_colleagues_only(world: World) -> None:
    """Whoever may read an order may write one; an empty one comes back; the customer's page does not show it."""
    number = placed(world)
    warehouse = visitor(world, "warehouse")
    page = warehouse.goes(warehouse.goes(f"/orders/{number}").link("Add a note"))

    empty = warehouse.sends(f"/orders/{number}/note", {**page.form("/note"), "text": " "})
    after = warehouse.sends(f"/orders/{number}/note", {**page.form("/note"), "text": "Ask for <b>Jo</b>."})

    assert (empty.status, "Write something" in empty.text) == (422, True)
    assert "Ask for <b>Jo</b>." in after.text
    token = world.of("owner").get(f"/orders/{number}").json["tracking_url"].rpartition("/")[2]
    assert "Ask for" not in visitor(world, "sales").goes(f"/track/{token}").text
    noted = world.of("finance").post(f"/orders/{number}/notes", {"text": "Paid in cash."})
    assert noted.status_code == 201
    assert "Paid in cash." in warehouse.goes(f"/orders/{number}").text


def test_the_list_shows_where_each_order_stands(world: World) -> None:
    """Number, customer, step, for whom it waits, total."""
    order = placed(world)

    page = visitor(world, "finance").goes("/orders")

    row = " ".join(page.find(f"//tr[.//a[text()='{order}']]")[0].text_content().split())
    assert "Mia Tanaka" in row
    assert "5 Approval: Inventory Reservation" in row
    assert "Stock approvers" in row


def test_a_number_goes_straight_to_its_order(world: World) -> None:
    """A search that names one order opens it, in any case."""
    order = placed(world)

    assert visitor(world, "sales").goes(f"/orders?q={order.lower()}").heading.startswith(order)


def test_a_search_looks_at_customer_city_and_sku(world: World) -> None:
    """And finds nothing where there is nothing, also with a wildcard in it."""
    order = placed(world)
    who = visitor(world, "sales")

    for q in ("tanaka", "new york", "product-a", "mia.tanaka@example.com"):
        assert order in who.goes(f"/orders?q={q}").text, q
    for q in ("nobody", "product-b", "100%", "_"):
        assert "No orders with" in who.goes(f"/orders?q={q}").text, q


def test_the_list_goes_on_page_by_page(world: World) -> None:
    """Older orders are one link away; nothing is shown twice and nothing is left out."""
    numbers = set()
    for _ in range(52):
        world.clock.advance(seconds=1)
        numbers.add(world.place())
    who = visitor(world, "sales")

    first = who.goes("/orders")
    second = who.goes(first.link("Older"))

    shown = [str(n) for page in (first, second) for n in page.find("//tbody/tr/th/a/text()")]
    assert len(shown) == len(set(shown)) == 52
    assert set(shown) == numbers


def test_a_wrong_cursor_starts_again(world: World) -> None:
    """An address that somebody changed by hand is no error."""
    assert visitor(world, "sales").goes("/orders?cursor=rubbish").heading == "Orders"


def test_the_order_page_says_what_happened_and_what_it_waits_for(world: World) -> None:
    """Step, task, products, money, customer, history; each of the twenty steps with its state in words."""
    order = placed(world)

    page = visitor(world, "finance").goes(f"/orders/{order}")

    assert "Step 5 of 20" in page.text
    steps = page.find("//ol[@class='steps']/li")
    assert len(steps) == 20
    assert [" ".join(s.text_content().split()) for s in steps][3:6] == [
        "4 Reserve inventory for order: done",
        "5 Approval: Inventory Reservation: now",
        "6 Generate invoice for order: to come",
    ]
    assert "Product A" in page.text
    assert "Anna Lindqvist" in page.text
    assert "350 Fifth Avenue" in page.text


def test_the_diagram_is_marked_where_the_order_stands(world: World) -> None:
    """The page carries the marks and the address of the diagram that the order runs on."""
    order = placed(world)
    who = visitor(world, "finance")

    page = who.goes(f"/orders/{order}")

    marks = page.tree.get_element_by_id("marks-order_fulfillment").get("data-json")
    assert '"approve_reservation": "here"' in marks
    assert '"reserve_inventory": "done"' in marks
    source = page.find("//figure//div[@class='canvas']/@data-src")[0]
    answer = who.client.get(str(source))
    assert answer.mimetype == "application/xml"
    assert b'id="approve_reservation"' in answer.data
    assert who.client.get(str(source), headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_lists_ask_a_fixed_number_of_statements(world: World) -> None:
    """No list asks once per row."""
    who = {name: visitor(world, name) for name in ("stock-approver", "owner")}
    placed(world)
    lists = (("stock-approver", "/inbox"), ("owner", "/orders"), ("owner", "/board"), ("owner", "/incidents"))
    first = {}
    for name, address in lists:
        who[name].goes(address)
        with statements(world.database) as seen:
            who[name].goes(address)
        first[address] = len(seen)
    for _ in range(8):
        placed(world)

    for name, address in lists:
        with statements(world.database) as seen:
            who[name].goes(address)
        assert len(seen) == first[address] <= LIST_PAGE, (address, len(seen))


def test_cancelling_needs_a_reason_and_works_without_a_script(world: World) -> None:
    """A page of its own asks; the order page then shows both diagrams."""
    order = placed(world)
    who = visitor(world, "sales")
    ask = who.goes(who.goes(f"/orders/{order}").link("Cancel order"))

    refused = who.sends(f"/orders/{order}/cancel", ask.form())
    assert refused.status == 422
    assert "Give a reason" in refused.text

    page = who.sends(f"/orders/{order}/cancel", {**ask.form(), "reason": "She changed her mind."})
    world.work()
    assert f"{order} is being cancelled." in page.text
    after = who.goes(f"/orders/{order}")
    assert "Cancelled" in after.find("//dl[@class='facts']")[0].text_content()
    assert {m.get("id") for m in after.find("//*[@data-json]")} == {
        "marks-order_fulfillment",
        "marks-order_cancellation",
    }
    assert "She changed her mind." in after.text


def test_who_may_not_cancel_sees_no_button(world: World) -> None:
    """And is refused when sending the form anyway."""
    order = placed(world)
    who = visitor(world, "warehouse")
    page = who.goes(f"/orders/{order}")

    assert "Cancel order" not in page.text
    token = page.form("/sign-out")["csrf_token"]
    assert who.sends(f"/orders/{order}/cancel", {"csrf_token": token, "reason": "x"}).status == 403
    assert world.engine.instance(order).status == "open"


def test_an_incident_stands_on_its_order(world: World) -> None:
    """With what went wrong, and a retry that comes back to the order."""
    order = placed(world)
    breaks(world, order, "The mail server refused the connection")
    who = visitor(world, "sales")

    page = who.goes(f"/orders/{order}")
    assert "The mail server refused the connection" in page.text

    back = who.sends("/incidents/retry", page.form("/incidents/retry"))
    assert back.heading.startswith(order)
    assert "It is being tried again." in back.text


def test_a_transfer_that_nothing_waits_for_is_seen(world: World) -> None:
    """The customer's money: on the order, on the page of messages and by API, also after the order has ended."""
    order = placed(world)
    payload = {"amount": 3552, "currency": "EUR", "reference": "TR-2", "payer": "Mia Tanaka"}
    world.send("bank.transfer_received", {"id": "second", "order": order, "payload": payload})
    who = visitor(world, "finance")
    said = "Finance: a transfer of €35.52 was received"

    page = who.goes(f"/orders/{order}")
    assert f"{said} that nothing waits for" in page.text
    assert "TR-2" in page.text
    assert "taken if the order comes to wait for it" in page.text
    row = who.goes("/messages?state=waiting").find("//tbody/tr")[0].text_content()
    assert order in row
    assert said in row
    message = world.of("finance").get(f"/orders/{order}").json["unused_messages"][0]
    assert (message["id"], message["name"], message["payload"]) == ("second", "bank.transfer_received", payload)

    world.engine.cancel(order, world_actor("sales"), "Changed her mind")
    world.work()
    assert "nothing will use it" in who.goes(f"/orders/{order}").text


def test_a_message_that_is_waited_for_is_not_unused(world: World) -> None:
    """What an order waits for now is no stray message."""
    order = placed(world)
    with world.database.write() as session:
        session.execute(update(Instance).where(Instance.business_key == order).values(awaits=" courier.reported "))
    for name in ("courier.reported", "stock.arrived"):
        world.send(name, {"id": name, "order": order, "payload": {"booking": "B-1", "status": "lost"}})
    with world.database.write() as session:
        session.execute(update(Instance).where(Instance.business_key == order).values(awaits=" courier.reported "))

    found = world.of("finance").get(f"/orders/{order}").json["unused_messages"]

    assert [message["name"] for message in found] == ["stock.arrived"]


def test_documents_are_opened_and_saved_harmlessly(world: World) -> None:
    """A PDF opens in the browser; any other file is only saved; both may do nothing."""
    order = placed(world)
    files = world.app.extensions[KEY].ports.files
    with world.database.write() as session:
        for name, kind in (("invoice.pdf", "application/pdf"), ("evidence.json", "application/json")):
            digest = files.put(name.encode())
            session.add(
                Document(
                    order_number=order, name=name, title=name, content_type=kind, sha256=digest, size=len(name),
                    made_at=world.clock.now(), key=f"{order}:{name}",
                )
            )  # fmt: skip
    who = visitor(world, "finance")

    paper = who.client.get(f"/orders/{order}/documents/invoice.pdf")
    data = who.client.get(f"/orders/{order}/documents/evidence.json")

    assert paper.data == b"invoice.pdf"
    assert paper.headers["Content-Disposition"] == f'inline; filename="{order}-invoice.pdf"'
    assert data.headers["Content-Disposition"] == f'attachment; filename="{order}-evidence.json"'
    assert "sandbox" in data.headers["Content-Security-Policy"]
    assert who.goes(f"/orders/{order}/documents/other.pdf").status == 404
    assert Visitor(world.app).client.get(f"/orders/{order}/documents/invoice.pdf").status_code == 302


def test_a_mail_is_shown_in_a_frame_that_can_do_nothing(world: World) -> None:
    """Sandboxed, no script, nothing loaded from elsewhere."""
    order = placed(world)
    with world.database.write() as session:
        mail = Mail(
            order_number=order, kind="test", recipient="mia@example.com", subject="Hello", text="Hello",
            html="<script>alert(1)</script><p>Hello</p>", message_id="<1@test>", state="sent",
            made_at=world.clock.now(), sent_at=world.clock.now(),
        )  # fmt: skip
        session.add(mail)
        session.flush()
        number = mail.id
    who = visitor(world, "sales")

    page = who.goes(f"/mails/{number}")
    frame = page.find("//iframe")[0]
    assert frame.get("sandbox") == ""
    body = who.client.get(frame.get("src"))
    policy = body.headers["Content-Security-Policy"]
    assert "sandbox" in policy.split("; ")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_the_customers_page_needs_no_sign_in_and_tells_no_name(world: World) -> None:
    """Who has the address sees where the order is; name, street and mail are left out; no search engine keeps it."""
    order = placed(world)
    with world.database.read() as session:
        token = session.scalar(select(Order.track_token).where(Order.number == order))

    page = Visitor(world.app).goes(f"/track/{token}")

    assert page.status == 200
    assert page.heading == "We are preparing your order"
    assert "Order received" in page.text
    for secret in ("Mia", "Tanaka", "Fifth Avenue", "example.com", "736 3100"):
        assert secret not in page.answer.get_data(as_text=True), secret
    assert page.find("//meta[@name='robots']/@content") == ["noindex, nofollow"]
    assert Visitor(world.app).goes("/track/" + "x" * 43).status == 404


def test_the_customers_page_ends_30_days_after_the_order(world: World) -> None:
    """Then the address leads nowhere."""
    order = placed(world)
    with world.database.write() as session:
        row = session.get_one(Order, order)
        row.closed_at = world.clock.now() - timedelta(days=31)
        token = row.track_token

    assert Visitor(world.app).goes(f"/track/{token}").status == 404


def test_stock_shows_what_is_held(world: World) -> None:
    """On hand, held and available, by region."""
    placed(world)

    page = visitor(world, "warehouse").goes("/stock")

    row = next(
        r for r in page.find("//section[.//h2[contains(., 'Product A')]]//tr") if "North America" in r.text_content()
    )
    held = row.xpath("td[@data-l='Held']")[0].text_content()
    assert held == "2"


def test_a_version_of_the_process_shows_its_diagrams(world: World) -> None:
    """The picture comes from the version that was deployed, not from a folder."""
    who = visitor(world, "analyst")

    page = who.goes(who.goes("/processes").find("//tbody//th/a/@href")[0])

    sources = page.find("//figure//div[@class='canvas']/@data-src")
    assert [s.rsplit("/", 1)[1] for s in sources] == ["order_fulfillment.bpmn", "order_cancellation.bpmn"]
    assert all(who.client.get(str(s)).status_code == 200 for s in sources)


def test_one_answer_after_the_other_keeps_the_order_open_until_someone_signs(world: World) -> None:
    """Looking at a page changes nothing."""
    order = placed(world)
    before = world.engine.instance(order).revision
    who = visitor(world, "stock-approver")

    for address in (f"/orders/{order}", f"/tasks/{open_task(world, order)}", "/inbox", "/board"):
        who.goes(address)

    assert world.engine.instance(order).revision == before


@pytest.mark.parametrize(
    "address",
    ["/mails/99999999999999999999", "/mails/99999999999999999999/body", "/processes/order_fulfillment/99999999999999"],
)
def test_a_number_that_no_column_holds_is_not_there(world: World, address: str) -> None:
    """It is a page that says so, no failure."""
    assert visitor(world, "analyst").goes(address).status == 404


def test_a_step_that_no_column_holds_is_no_filter(world: World) -> None:
    """The list is shown without it."""
    order = placed(world)

    assert order in visitor(world, "owner").goes("/orders?step=99999999999999999999").text


@pytest.mark.parametrize("typed", ["%00", "%01", "%1f", "WB%00"])
def test_a_search_with_a_control_character_finds_nothing_and_says_why(world: World, typed: str) -> None:
    """Not everything, as if nothing had been asked."""
    order = placed(world)

    for address in ("/orders", "/inbox"):
        page = visitor(world, "stock-approver").goes(f"{address}?q={typed}")
        assert page.status == 200
        assert order not in page.text
        assert "a character that cannot be read" in page.text


def test_names_turn_nothing_around_them(world: World) -> None:
    """A name in another direction of writing stands by itself, wherever it is shown."""
    name = "\u05d0\u05d1 Mia"
    order = placed(world, customer={"name": name, "email": "mia@example.com", "phone": "+1 212 736 3100"})
    who = visitor(world, "stock-approver")

    for address in ("/orders", f"/orders/{order}", "/inbox", f"/tasks/{open_task(world, order)}"):
        page = who.goes(address)
        assert page.find("//main//bdi[contains(., 'Mia')]"), address
        assert not page.find("//main//*[not(self::bdi)]/text()[contains(., 'Mia')]"), address


@pytest.mark.parametrize("token", ["nothing", "%00", "x" * 300])
def test_a_customers_wrong_link_is_answered_in_the_customers_words(world: World, token: str) -> None:
    """No word of the house's own and no way into it."""
    page = Visitor(world.app).goes(f"/track/{token}")

    assert page.status == 404
    assert page.heading == "We cannot find this order"
    assert not [link for link in page.links() if link != "#main"]
    assert "inbox" not in page.text.lower()


def test_money_is_given_back_only_where_some_was_taken(world: World) -> None:
    """An order that was cancelled before it was paid promises nothing."""
    order = placed(world)
    link = str(world.of("sales").get(f"/orders/{order}").json["tracking_url"]).removeprefix("https://shop.example")
    world.engine.cancel(order, world_actor("sales"), "Changed her mind")
    world.work()
    assert "given back" not in Visitor(world.app).goes(link).text

    with world.database.write() as session:
        session.add(
            Payment(
                order_number=order, kind="capture", method="credit_card", amount=100, currency="USD", state="done",
                key="k", message="", at=world.clock.now(),
            )
        )  # fmt: skip
    assert "What you paid is given back" in Visitor(world.app).goes(link).text


def test_an_order_that_waits_for_a_transfer_says_so(world: World) -> None:
    """In the list and on its page, in words; before there is an invoice the goods have no total."""
    order = placed(world, payment_method="bank_transfer")
    who = visitor(world, "finance")
    assert "Goods, before tax" in who.goes(f"/orders/{order}").text
    assert "before tax" in who.goes("/orders").text
    while "bank.transfer_received" not in world.engine.instance(order).awaits:
        do_next(world, order, [])
        world.work()

    waits = who.goes(f"/orders/{order}").find("//dt[.='Waits for']/following-sibling::dd")
    assert [dd.text_content() for dd in waits] == ["the customer’s bank transfer for less than a minute"]
    assert "the customer’s bank transfer" in who.goes("/orders").find("//tbody/tr")[0].text_content()
    assert "before tax" not in who.goes("/orders").text


def test_what_was_shipped_is_no_longer_held(world: World) -> None:
    """The column says what is held now; where it came from stays."""
    order = placed(world)
    who = visitor(world, "finance")

    def cell(name: str) -> str:
        return str(who.goes(f"/orders/{order}").find(f"//section[@id='lines']//td[@data-l='{name}']")[0].text_content())

    assert cell("Held") == "2"
    with world.database.write() as session:
        session.execute(update(Reservation).where(Reservation.order_number == order).values(state="shipped"))
    assert (cell("Held"), cell("From")) == ("0", "North America")


def test_a_proof_of_delivery_tells_its_time_as_people_read_it(world: World) -> None:
    """No time as machines write it stands on a page."""
    order = placed(world)
    with world.database.write() as session:
        session.add(
            Shipment(
                reference="B-1", order_number=order, round=1, courier="courier_a", tracking_number="T-1",
                state="delivered", booked_at=world.clock.now(),
                proof="Signed by M. Tanaka at 2026-11-25T10:00:00Z.",
            )
        )  # fmt: skip

    page = visitor(world, "finance").goes(f"/orders/{order}")

    assert "Signed by M. Tanaka at Wed 25 Nov, 10:00." in page.text


def test_the_page_of_versions_is_called_as_the_menu_says(world: World) -> None:
    """And a diagram's file name leads to the file."""
    who = visitor(world, "analyst")
    assert who.goes("/processes").heading == "Versions"

    page = who.goes("/processes/order_fulfillment/1")

    assert who.client.get(page.link("processes/order_fulfillment.bpmn")).mimetype == "application/xml"


def test_a_pickup_that_is_known_already_calls_nobody(world: World) -> None:
    """The courier reports what the operator has confirmed: it stands on the order, and calls nobody."""
    order = placed(world)
    world.send("courier.picked_up", {"id": "van", "order": order, "payload": {"booking": "B-1"}})
    who = visitor(world, "finance")
    assert order in who.goes("/messages?state=waiting").text

    with world.database.write() as session:
        session.add(
            Shipment(
                reference="B-1", order_number=order, round=1, courier="courier_a", tracking_number="T-1",
                state="picked_up", booked_at=world.clock.now(), picked_up_at=world.clock.now(),
            )
        )  # fmt: skip

    assert order not in who.goes("/messages?state=waiting").text
    assert "the pickup of booking B-1 was reported" in who.goes(f"/orders/{order}").text
