"""A second factor, from the account page to the next sign-in, as a person goes through it."""

from __future__ import annotations

from typing import Any

import pyotp
import pytest

from tests.browser.conftest import Open, Site
from tests.browser.test_look import violations


@pytest.mark.parametrize(("who", "width", "dark"), [("shipping", 1440, False), ("finance", 390, True)])
def test_a_second_factor_is_set_up_and_used(opened: Open, site: Site, who: str, width: int, dark: bool) -> None:
    """Key, code, recovery codes, sign-in with a recovery code, and off again; each page is accessible and fits."""
    page = opened(who, width=width, dark=dark)
    page.goto("/account")
    page.get_by_role("link", name="Set it up").click()
    key = page.locator(".secret").inner_text().replace(" ", "")
    _fits(page)
    page.get_by_role("textbox", name="Code").fill(pyotp.TOTP(key).now())
    page.get_by_label("Your password").fill("demo")
    page.get_by_role("button", name="Turn it on").click()
    codes = page.locator(".codes li").all_inner_texts()
    assert len(codes) == 10
    _fits(page)

    fresh = opened(None, width=width, dark=dark)
    fresh.goto("/sign-in")
    fresh.get_by_label("Name").fill(who)
    fresh.get_by_label("Password").fill("demo")
    fresh.keyboard.press("Enter")
    fresh.get_by_role("textbox", name="Code").wait_for()
    _fits(fresh)
    fresh.get_by_role("textbox", name="Code").fill(codes[0])
    fresh.keyboard.press("Enter")
    fresh.get_by_role("heading", name="Inbox", level=1).wait_for()

    fresh.goto("/account")
    for closed in fresh.locator(".account summary").all():
        closed.click()
    _fits(fresh)
    form = fresh.locator("form[action$='/off']")
    form.get_by_label("Your password").fill("demo")
    form.get_by_role("textbox", name="Code").fill(codes[1])
    form.get_by_role("button", name="Take it off").click()
    assert "is off" in fresh.locator("main").inner_text()


def _fits(page: Any) -> None:
    """No violation of accessibility, nothing to scroll sideways."""
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
