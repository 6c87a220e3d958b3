"""The pages of processes and their versions in a language in which every text is wrapped; see `every_text.py`."""

from __future__ import annotations

from pathlib import Path

from lxml import html

from tests.gift_wrap import REASON
from tests.web.api_world import World
from tests.web.every_text import names, unmarked
from tests.web.test_pages_gates import order_at_gate
from tests.web.test_pages_modeler_forms import ANALYST, previewed, text
from tests.web.test_pages_processes import KEY, asked, looks
from tests.web.visitor import Page, visitor

FILES = [*Path("forms").glob("*.json"), *Path("processes").glob("*.*")]
SAID = {REASON, "Wider boxes."}
"""What people typed."""
ENGINE = {
    "Gift wrap",
    "before step 11",
    "Say what is to be changed.",
    "The key of a process has letters, digits and _ . -, a letter first, at most 80 characters: gift_wrapping.",
}
"""Sentences of the engine: why something is refused, and what becomes of live orders."""


def test_every_text_of_the_versions_pages_is_in_the_catalogue(world: World, wrapped: None) -> None:
    """From the list to a consent, a return, the way back, and what becomes of live orders."""
    seen: dict[str, Page] = {}
    order_at_gate(world)
    asked(world)
    ines, seen["made it"] = looks(world, "analyst", 2)
    karl, seen["consents"] = looks(world, "analyst-2", 2)
    _, seen["reads"] = looks(world, "sales", 2)
    form = seen["consents"].form("/consent")
    seen["no comment"] = karl.sends(f"/processes/{KEY}/2/return", form, comment="")
    seen["forged"] = ines.sends(f"/processes/{KEY}/2/consent", seen["made it"].form("/return"))
    seen["impact"] = karl.goes(f"/processes/{KEY}/2/impact")
    seen["list"] = karl.goes("/processes")
    seen["deployed"] = karl.sends(f"/processes/{KEY}/2/consent", form, comment="Wider boxes.", live="stay")
    _, seen["has orders"] = looks(world, "analyst", 1, "?with=2")
    seen["gone back"] = ines.sends(f"/processes/{KEY}/1/go-back", seen["has orders"].form("/go-back"), reason=REASON)
    seen["changed draft"] = ines.goes(f"/processes/{KEY}/3")
    seen["returned"] = karl.sends(f"/processes/{KEY}/3/return", form, comment="Wider boxes.")
    seen["all"] = karl.goes("/processes")
    seen["drafts"] = ines.goes("/modeler")
    seen["no version"] = ines.sends("/modeler", {**seen["drafts"].form(), "way": "copy", "version": "none"})
    seen["wrong key"] = ines.sends("/modeler", {**seen["drafts"].form(), "way": "empty", "key": "?", "title": ""})
    ines.sends("/modeler", {**seen["drafts"].form(), "way": "copy", "version": f"{KEY}:1", "title": "Wider boxes."})
    seen["a draft"] = ines.goes("/modeler")
    discard = next(form.action for form in seen["a draft"].tree.forms if (form.action or "").endswith("/discard"))
    seen["discarded"] = ines.sends(discard, seen["drafts"].form())

    company = names(world) | SAID | ENGINE | {KEY}
    assert {said: left for said, page in seen.items() if (left := unmarked(page.tree, company))} == {}


def test_every_text_of_the_editors_pages_is_in_the_catalogue(world: World, wrapped: None) -> None:
    """The modeler's frame, the forms and the tables of a draft; what their scripts draw stays in English."""
    draft = world.engine.open_draft(ANALYST, key=KEY, base_version=1, title="Wider boxes.")
    ines, seen = visitor(world, "analyst"), dict[str, Page]()
    here = f"/modeler/{draft.id}"
    seen["canvas"] = ines.goes(here)
    for part, used in (("forms", "package_products"), ("decisions", "courier_choice")):
        seen[part] = ines.goes(f"{here}/{part}/{used}")
        seen[f"no such {part}"] = ines.goes(f"{here}/{part}/gift")
        form = seen[part].form(f"/{part}")
        seen[f"{part}: name"] = ines.sends(f"{here}/{part}", {**form, "name": "?"})
        seen[f"{part}: used"] = ines.sends(f"{here}/{part}/{used}/remove", form)
        seen[f"{part}: new"] = ines.sends(f"{here}/{part}", {**form, "name": "gift"})
        seen[f"{part}: taken"] = ines.sends(f"{here}/{part}", {**form, "name": "gift"})
        seen[f"{part}: gone"] = ines.sends(f"{here}/{part}/gift/remove", seen[f"{part}: new"].form("/remove"))
    chosen = {"mode": "check", "typed": {"/courier": ["courier_a"]}}
    drawn = [
        previewed(ines, draft, name, text(draft, f"forms/{name}.json"), text(draft, f"forms/{name}.ui.json"), **more)
        for name, more in (("receive_order", {}), ("choose_courier", chosen))
    ]
    world.engine.discard_draft(draft.id, ANALYST)
    seen["closed forms"] = ines.goes(f"{here}/forms/package_products")
    seen["closed tables"] = ines.goes(f"{here}/decisions/courier_choice")

    company = names(world) | SAID | {KEY, "gift", "gift.json", "gift.dmn", "Gift", "Country"}
    company |= {name for path in FILES for name in (path.name, path.stem)} | {"order.receive_form", "courier.choose"}
    assert {said: left for said, page in seen.items() if (left := unmarked(page.tree, company))} == {}
    for preview in drawn:
        tree = html.fromstring(f"<html><body>{preview.json['html']}</body></html>")
        for form in tree.xpath("//div[@class='taskform']"):
            form.clear()
        assert unmarked(tree, company) == []
