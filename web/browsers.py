"""What a browser calls itself, in words that a person recognises their own machine by."""

from __future__ import annotations

from web.texts import N_, _

_SOME = N_("A browser")
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("Chromium", "Chromium"), ("HeadlessChrome", "Chromium"), ("CriOS", "Chrome"),
    ("Chrome", "Chrome"), ("Safari", "Safari"), ("curl", "curl"), ("python", N_("A Python program")),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def browser_name(user_agent: str) -> str:
    """`Chromium on Linux`. Whatever is not known is `A browser`; nothing of the header itself is repeated."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), _SOME)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser


def browser_shown(kept: str) -> str:
    """What `browser_name` said once, in the reader's language."""
    browser, on, system = kept.partition(" on ")
    return _("%(browser)s on %(system)s", browser=_(browser), system=system) if on else _(browser)
