"""Versions as analysts meet them: what changes, a second person's consent, the live orders, and the way back."""

from __future__ import annotations

import io
import zipfile

import pytest

from engine.definitions import Bundle
from engine.views import Actor, VersionView
from tests import looking
from tests.gift_wrap import DIAGRAM, REASON, with_gift_wrap
from tests.web.api_world import World
from tests.web.visitor import Page, Visitor, visitor

KEY = "order_fulfillment"
INES = Actor("analyst", frozenset({"analysts"}))
KARL = Actor("analyst-2", frozenset({"analysts"}))
ADA = Actor("admin", frozenset({"admin"}), sees_all=True)


def asked(world: World, files: dict[str, bytes] | None = None, *, reason: str = REASON) -> VersionView:
    """Consent is asked for a change, gift wrap if nothing else is given."""
    base = max(v.version for v in world.engine.versions(KEY) if v.state == "deployed")
    bundle = Bundle(files or with_gift_wrap(world.engine.bundle(KEY, base).files))
    made = world.engine.propose(bundle, INES, reason=reason, base_version=base, key=KEY)
    return next(version for version in made if version.key == KEY)


def state(world: World, version: int) -> str:
    return world.engine.version(KEY, version).state


def looks(world: World, name: str, version: int, more: str = "") -> tuple[Visitor, Page]:
    """A person who has opened the page of a version."""
    who = visitor(world, name)
    return who, who.goes(f"/processes/{KEY}/{version}{more}")


def row_texts(page: Page, table: str) -> list[str]:
    """The rows of a table, each as one line."""
    rows = page.find(f"//table[contains(@class, '{table}')]//tr")
    return [" ".join(" ".join(cell.text_content().split()) for cell in row) for row in rows]


def changes(page: Page) -> dict[str, str]:
    """The table of changes: per element all that is said of it."""
    found = {}
    for body in page.find("//table[contains(@class, 'changes')]/tbody"):
        name = " ".join(body.find(".//th").text_content().split())
        found[name] = " ".join(" ".join(cell.text_content().split()) for cell in body.findall(".//td"))
    return found


def test_a_second_analyst_sees_what_changes_and_deploys_it(world: World) -> None:
    """Everything that the change does, in words; consent with a comment; new orders run on it."""
    version = asked(world)

    karl, page = looks(world, "analyst-2", version.version)

    assert page.heading == "Version 2 waits for consent"
    assert f"Ines Duarte, 08:00: “{REASON}”" in page.text
    assert "Steps and gates20 and 2 as before" in page.text
    assert "No problems" in page.text
    told = changes(page)
    assert told["Gift wrap"].startswith(
        "added, user task – team Warehouse, due 2 h, escalates to Owner, form gift_wrap.json"
    )
    assert "to Gift wrap if package_products.gift, else to Create shipping label" in told["Gift?"]
    assert told["Not picked up in 1 day"].startswith("removed, timer event sits on Confirm pickup")
    assert told["Correct customer details"] == "due changed 8 h 6 h"
    assert told["Package ordered products Parcels, package_products.json"] == "form: field Gift added – yes or no"
    courier = told["Recommend courier Courier choice, courier_choice.dmn"]
    assert courier.startswith("decision: row 4 changed Ships from europe")
    assert "courier_d" in [new.text for new in page.find("//table[contains(@class, 'changes')]//ins")]

    form = page.form(f"/{version.version}/consent")
    done = karl.sends(f"/processes/{KEY}/2/consent", form, comment="Good.")

    assert "Version 2 is deployed. New orders run on it." in done.text
    assert done.heading == "Version 2 runs"
    assert world.engine.version(KEY, 2).consented_by == "analyst-2"
    assert world.engine.version(KEY, 2).answer == "Good."


def test_the_flows_of_a_new_task_are_told_too(world: World) -> None:
    """What the picture counts as added and removed stands in the table: first the elements, then what leads on."""
    asked(world)

    _, page = looks(world, "sales", 2)

    told = changes(page)
    assert told["Gift wrap → Create shipping label"].startswith("added, flow – comes from Gift wrap, leads to")
    names = list(told)
    assert names.index("Gift wrap") < names.index("Gift wrap → Create shipping label")
    for kind in ("added", "removed"):
        rows = [words for words in told.values() if words.startswith(f"{kind}, ")]
        assert f"{kind} {len(rows)}" in page.find("//p[@class='legend']")[0].text_content()


def test_who_made_a_version_cannot_consent_and_is_told_so(world: World) -> None:
    """No button; a forged form is refused, and nothing is deployed. It can be taken back."""
    asked(world)

    ines, page = looks(world, "analyst", 2)

    assert "You made it, so another analyst or an administrator must consent." in page.text
    assert not page.find("//button[contains(., 'Consent')]")
    token = {"csrf_token": page.value("csrf_token")}
    refused = ines.sends(f"/processes/{KEY}/2/consent", token)
    assert refused.status == 403
    assert "another analyst or an administrator must consent" in refused.text
    assert state(world, 2) == "awaiting_consent"

    ines.sends(f"/processes/{KEY}/2/return", token, comment="I forgot the card.")
    assert state(world, 2) == "returned"


def test_who_changed_the_draft_of_another_is_told_that_it_is_no_second_look(world: World) -> None:
    """No button to consent either; the version can be returned, and somebody who did not touch it is asked."""
    draft = world.engine.open_draft(INES, key=KEY, base_version=1)
    files = with_gift_wrap(world.engine.bundle(KEY, 1).files)
    saved = world.engine.save_draft(draft.id, KARL, revision=draft.revision, files=files)
    world.engine.submit_draft(draft.id, INES, reason=REASON, revision=saved.revision)

    karl, page = looks(world, "analyst-2", 2)
    _, admin = looks(world, "admin", 2)

    assert "You changed its draft, so another analyst or an administrator must consent." in page.text
    assert not page.find("//button[contains(., 'Consent')]")
    assert admin.find("//button[contains(., 'Consent and deploy version 2')]")
    done = karl.sends(f"/processes/{KEY}/2/return", page.form("/return"), comment="The card is missing.")
    assert "is returned to Ines Duarte" in done.text


def test_an_administrator_may_consent_too(world: World) -> None:
    """As the page says."""
    asked(world)
    admin, page = looks(world, "admin", 2)

    done = admin.sends(f"/processes/{KEY}/2/consent", page.form("/2/consent"))

    assert done.heading == "Version 2 runs"
    assert world.engine.version(KEY, 2).consented_by == ADA.name


def test_what_is_no_order_is_not_called_one(world: World) -> None:
    """After the consent, in the history and behind a task; its own steps are counted."""
    diagram = looking.bundle("Ask for leave", key="leave").files[looking.DIAGRAM]
    step = b'<spiffworkflow:property name="team" value="warehouse"/><spiffworkflow:property name="step" value="1"/>'
    files = {**looking.bundle().files, looking.DIAGRAM: diagram.replace(
        b'<spiffworkflow:property name="team" value="warehouse"/>', step)}  # fmt: skip
    world.engine.propose(Bundle(files), INES, reason="Leave.", base_version=None, key="leave")
    karl = visitor(world, "analyst-2")

    deployed = karl.sends("/processes/leave/1/consent", karl.goes("/processes/leave/1").form("/consent"))
    world.engine.start("leave", "L-1", INES)
    shown = karl.goes("/orders/L-1")
    task = next(task for task in world.engine.order_tasks("L-1") if task.state == "open")
    asked_page = visitor(world, "warehouse").goes(f"/tasks/{task.id}")

    assert "Version 1 is deployed. New ones run on it." in deployed.text
    assert "Ines Duarte started it" in shown.text
    assert "Step 1 of 1" in asked_page.text


def test_one_is_counted_as_one(world: World) -> None:
    """One live order, one file, one order looked over."""
    world.place()
    asked(world)

    _, page = looks(world, "analyst-2", 2)

    assert "1 live order ends on the version it began with" in page.text
    assert "runs · 1 live order" in page.text
    assert "1 live orders" not in page.text
    assert "over 1 order in" in page.text


def test_a_version_is_returned_with_a_comment(world: World) -> None:
    """Without one the form comes back with what is missing; the author reads it on the page."""
    asked(world)
    karl, page = looks(world, "analyst-2", 2)
    form = page.form("/consent")

    again = karl.sends(f"/processes/{KEY}/2/return", form, comment="  ")
    assert again.status == 422
    assert "Say what is to be changed." in again.text
    assert state(world, 2) == "awaiting_consent"

    done = karl.sends(f"/processes/{KEY}/2/return", form, comment="What if there is no paper?")
    assert "is returned to Ines Duarte" in done.text
    _, read = looks(world, "analyst", 2)
    assert read.heading == "Version 2 was returned"
    assert "Returned by Karl Novak, 08:00: “What if there is no paper?”" in read.text


def test_a_version_on_an_older_one_cannot_be_deployed(world: World) -> None:
    """Two changes wait; when one is deployed, the other says why it cannot be."""
    asked(world)
    other = dict(world.engine.bundle(KEY, 1).files)
    other[DIAGRAM] = other[DIAGRAM].replace(b"P7D<", b"P10D<")
    asked(world, other, reason="Ten days are usual.")
    world.engine.consent(KEY, 2, KARL)

    karl, page = looks(world, "analyst-2", 3)

    assert "Version 2 was deployed meanwhile" in page.text
    assert not page.find("//button[contains(., 'Consent')]")
    refused = karl.sends(f"/processes/{KEY}/3/consent", page.form("/consent"))
    assert refused.status == 409
    assert state(world, 3) == "awaiting_consent"


def test_live_orders_are_told_and_moved_with_the_consent(world: World) -> None:
    """Before: how many meet the new task. With the consent they are moved, each with a result."""
    orders = [world.place(), world.place()]
    asked(world)
    karl, page = looks(world, "analyst-2", 2)
    impact = row_texts(page, "impact")
    assert "Meet Gift wrap 2 before step 11" in impact
    assert "Live orders 2 " in impact

    done = karl.sends(f"/processes/{KEY}/2/consent", {**page.form("/consent"), "live": "move"})

    assert done.heading == "Live orders move to version 2"
    world.work()
    assert [world.engine.instance(order).version for order in orders] == [2, 2]
    _, after = looks(world, "analyst-2", 2)
    assert "Karl Novak moved 2 of 2 orders to version 2" in after.text


def test_live_orders_can_be_moved_later(world: World) -> None:
    """Consent for new orders only leaves them; the page of the newest version moves them when somebody says why."""
    order = world.place()
    asked(world)
    karl, page = looks(world, "analyst-2", 2)
    stays = karl.sends(f"/processes/{KEY}/2/consent", page.form("/consent"))
    assert world.engine.instance(order).version == 1

    karl.sends(f"/processes/{KEY}/2/migrate", {**stays.form("/migrate"), "reason": "Gifts are wrapped from today."})

    world.work()
    assert world.engine.instance(order).version == 2


def test_many_live_orders_are_worked_out_after_the_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page does not wait for them; the part comes by itself, or without scripts by a link."""
    monkeypatch.setattr("web.pages.impacts.AT_ONCE", 0)
    order = world.place()
    asked(world)

    karl, page = looks(world, "sales", 2)

    assert not page.find("//table[contains(@class, 'impact')]")
    part = karl.goes(page.find("//*[@id='impact']/@hx-get")[0], **{"HX-Request": "true"})
    assert "Meet Gift wrap" in part.text
    assert not part.find("//h1")
    whole = karl.goes(page.link("Work out what moving does to it"))
    assert whole.heading == "What version 2 does to live orders"
    assert order in whole.text


def test_going_back_is_a_new_version_that_needs_consent_too(world: World) -> None:
    """With a reason; the newest version offers no way back to itself."""
    asked(world)
    world.engine.consent(KEY, 2, KARL)
    karl, page = looks(world, "analyst-2", 1)

    missing = karl.sends(f"/processes/{KEY}/1/go-back", page.form("/go-back"), reason="")
    assert missing.status == 422
    assert "Say why: it is kept with the version." in missing.text

    done = karl.sends(f"/processes/{KEY}/1/go-back", page.form("/go-back"), reason="The paper has run out.")
    assert done.heading == "Version 3 waits for consent"
    assert "Gift wrap" in changes(done)
    assert world.engine.version(KEY, 3).content_hash == world.engine.version(KEY, 1).content_hash
    _, newest = looks(world, "analyst", 2)
    assert "Go back to this version" not in newest.text


def test_any_two_versions_can_be_compared(world: World) -> None:
    """The one it builds on at first; every other one when asked; an unknown one is not there."""
    asked(world)
    world.engine.consent(KEY, 2, KARL)
    third = dict(world.engine.bundle(KEY, 2).files)
    third[DIAGRAM] = third[DIAGRAM].replace(b"P7D<", b"P10D<")
    asked(world, third, reason="Ten days are usual.")

    sales, page = looks(world, "sales", 3)
    assert list(changes(page)) == ["Not in 7 days"]
    wide = sales.goes(f"/processes/{KEY}/3?with=1")
    assert {"Not in 7 days", "Gift wrap"} <= set(changes(wide))
    same = sales.goes(f"/processes/{KEY}/3?with=3")
    assert "Nothing changes but the way the files are written." in same.text
    assert sales.goes(f"/processes/{KEY}/3?with=9").status == 404


def test_a_lost_step_stands_out(world: World) -> None:
    """Whoever consents sees it before everything else."""
    files = dict(world.engine.bundle(KEY, 1).files)
    text = files[DIAGRAM].decode()
    step = '<spiffworkflow:property name="step" value="20"/>'
    files[DIAGRAM] = text.replace(step, "").encode()
    asked(world, files, reason="Nobody needs that.")

    _, page = looks(world, "analyst-2", 2)

    notice = page.find("//div[contains(@class, 'notice bad')]")[0].text_content()
    assert "20 and 2 then, 19 and 2 now." in notice
    assert "Step 20, “Prepare for next order”, is lost." in notice


def test_the_list_says_of_every_version_who_when_and_why(world: World) -> None:
    """What waits stands first; every state in words; live orders are counted."""
    world.place()
    asked(world)

    page = visitor(world, "sales").goes("/processes")

    assert f"Version 2 of Order fulfillment waits for consent. Ines Duarte, 08:00: “{REASON}”" in page.text
    rows = row_texts(page, "versions")
    assert any(row.startswith("Version 2 waits for consent 0 Ines Duarte") for row in rows)
    assert any(row.startswith("Version 1 runs 1 Waybill") for row in rows)
    assert not page.find("//button[contains(., 'modeler')]")


def test_the_files_of_a_version_are_downloaded_as_an_archive(world: World) -> None:
    """As they were deployed, under names that stay in their folder; the same bytes each time."""
    sales = visitor(world, "sales")
    answer = sales.client.get(f"/processes/{KEY}/1/bundle.zip")

    assert answer.headers["Content-Disposition"] == f'attachment; filename="{KEY}-version-1.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        unpacked = {name: archive.read(name) for name in archive.namelist()}
    assert unpacked == dict(world.engine.bundle(KEY, 1).files)
    assert sales.client.get(f"/processes/{KEY}/1/bundle.zip").data == answer.data


def test_a_diagram_in_another_encoding_is_served_as_text(world: World) -> None:
    """UTF-16 is standard; the picture needs it readable."""
    files = dict(world.engine.bundle(KEY, 1).files)
    text = files[DIAGRAM].decode().replace("P7D<", "P9D<").replace('encoding="UTF-8"', 'encoding="UTF-16"')
    files[DIAGRAM] = text.encode("utf-16")
    asked(world, files)

    answer = visitor(world, "sales").goes(f"/processes/{KEY}/2/order_fulfillment.bpmn").answer

    assert "P9D" in answer.get_data(as_text=True)


def test_a_version_is_opened_in_the_modeler_as_a_draft(world: World) -> None:
    """A deployed one as a new draft of it; one that was returned as the draft it was made of."""
    ines, page = looks(world, "analyst", 1)
    opened = ines.sends(f"/processes/{KEY}/1/draft", page.form("/draft"), follow=False)
    draft = world.engine.drafts()[0]
    assert opened.answer.headers["Location"].endswith(f"/modeler/{draft.id}")
    assert (draft.base_version, draft.created_by) == (1, "analyst")

    files = with_gift_wrap(world.engine.bundle(KEY, 1).files)
    saved = world.engine.save_draft(draft.id, INES, revision=draft.revision, files=files)
    world.engine.submit_draft(draft.id, INES, reason=REASON, revision=saved.revision)
    world.engine.return_version(KEY, 2, KARL, "Not yet.")
    again = ines.sends(f"/processes/{KEY}/2/draft", page.form("/draft"), follow=False)

    assert again.answer.headers["Location"].endswith(f"/modeler/{draft.id}")
    assert len(world.engine.drafts()) == 1


@pytest.mark.parametrize("call", ["consent", "return", "go-back", "draft", "migrate"])
def test_only_analysts_act_on_versions(world: World, call: str) -> None:
    """Everyone may look; a forged form of anybody else is refused, and so is one without its token."""
    asked(world)
    sales, page = looks(world, "sales", 2)
    assert page.status == 200
    assert "Waits for an analyst other than Ines Duarte, or an administrator." in page.text
    token = {"csrf_token": page.value("csrf_token")}

    assert sales.sends(f"/processes/{KEY}/2/{call}", token, comment="x", reason="x").status == 403
    assert visitor(world, "analyst-2").sends(f"/processes/{KEY}/2/{call}", {"comment": "x"}).status == 400
    assert state(world, 2) == "awaiting_consent"


def test_what_analysts_write_is_text(world: World) -> None:
    """Names and reasons reach the page as they are typed."""
    files = dict(world.engine.bundle(KEY, 1).files)
    files[DIAGRAM] = files[DIAGRAM].replace(b'name="Wait for restock"', b'name="&lt;b&gt;Wait&lt;/b&gt; for it"')
    asked(world, files, reason="<script>alert(1)</script>")

    page = visitor(world, "analyst-2").goes(f"/processes/{KEY}/2")

    assert "<script>alert(1)</script>" in page.text
    assert "<b>Wait</b> for it" in changes(page)
