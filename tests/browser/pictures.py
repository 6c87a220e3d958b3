"""Takes a picture of every page in light, dark and on a phone for docs/pictures, with a page that shows them all.

Run after the look has changed; needs Chromium and the built page assets:

    .venv/bin/python -m tests.browser.pictures            all pages
    .venv/bin/python -m tests.browser.pictures inbox gate  these alone

The pages are those of `test_look.PAGES`, of an installation with orders at known places and a clock that stands still.
They are WebP files of 15 to 60 kB: Chromium itself writes them, from its own screenshots.
"""

from __future__ import annotations

import base64
import logging
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import CHROMIUM, QUIET, ROOT, Site, furnished, served
from tests.browser.modeling import PATIENCE
from tests.browser.test_look import PAGES, ready
from web.services import KEY

PICTURES = ROOT / "docs" / "pictures"
DESK, PHONE = (1280, 800), (390, 844)
LOOKS = {"light": (DESK, False), "dark": (DESK, True), "phone": (PHONE, False)}
WIDTHS = {"light": 320, "dark": 320, "phone": 110}
"""How wide each stands in the overview."""
QUALITY = 0.72
_AS_WEBP = """async ([png, quality]) => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + png;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
  canvas.getContext('2d').drawImage(image, 0, 0);
  return canvas.toDataURL('image/webp', quality).split(',')[1];
}"""


def main(wanted: list[str]) -> None:
    names = wanted or list(PAGES)
    if unknown := set(names) - set(PAGES):
        sys.exit(f"There is no page {', '.join(sorted(unknown))}. There are: {', '.join(PAGES)}.")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    PICTURES.mkdir(exist_ok=True)
    if not wanted:
        for old in PICTURES.glob("*.webp"):  # of pages that are gone
            old.unlink()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as running, sync_playwright() as playwright:
        site = furnished(running)
        site.app.extensions[KEY] = replace(site.app.extensions[KEY], wall_clock=site.shop.clock)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=list(QUIET))
        studio = Studio(browser, site)
        for name in names:
            studio.takes(name)
            print(name, flush=True)
        browser.close()
    (PICTURES / "README.md").write_text(overview(), encoding="utf-8")


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


class Studio:
    """A browser in which each person has signed in once."""

    def __init__(self, browser: Any, site: Site) -> None:
        self.browser, self.site = browser, site
        self.people: dict[str | None, Any] = {}
        self.press = browser.new_page()

    def takes(self, name: str) -> None:
        """The page in its three looks."""
        person, where = PAGES[name]
        page = self._of(person)
        address = where(self.site)
        for look, (size, dark) in LOOKS.items():
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.emulate_media(color_scheme="dark" if dark else "light")
            page.goto(address, wait_until="load")
            ready(page)
            if page.locator("#canvas").count():
                expect(page.get_by_text("No problems")).to_be_visible(timeout=PATIENCE)
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
            shot = page.screenshot(animations="disabled")
            webp = self.press.evaluate(_AS_WEBP, [base64.b64encode(shot).decode(), QUALITY])
            (PICTURES / f"{slug(name)}-{look}.webp").write_bytes(base64.b64decode(webp))

    def _of(self, person: str | None) -> Any:
        if person not in self.people:
            page = self.browser.new_context(base_url=self.site.address, reduced_motion="reduce").new_page()
            page.set_default_timeout(PATIENCE)
            if person:
                page.goto("/sign-in")
                page.fill("#name", person)
                page.fill("#password", "demo")
                page.click("form button.primary")
                page.wait_for_url("**/inbox")
            self.people[person] = page
        return self.people[person]


def overview() -> str:
    """The page that shows every picture, and who sees it."""
    lines = [
        "# Every page", "",
        "In light, in dark, and on a phone. Made by `.venv/bin/python -m tests.browser.pictures`, of the demo’s people",
        "and orders at known places.", "",
        "| page | seen by | light | dark | phone |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, (person, _where) in PAGES.items():
        if not (PICTURES / f"{slug(name)}-light.webp").exists():
            continue
        cells = [_cell(f"{slug(name)}-{look}.webp", f"{name}, {look}", width) for look, width in WIDTHS.items()]
        lines.append(f"| {name} | {person or 'anybody'} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(file: str, words: str, width: int) -> str:
    return f'<a href="{file}"><img src="{file}" width="{width}" alt="{words}"></a>'


if __name__ == "__main__":
    main(sys.argv[1:])
