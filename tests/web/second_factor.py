"""Words for tests of the second factor: a person's phone."""

from __future__ import annotations

import pyotp

from tests.web.api_world import World
from web import accounts
from web.services import KEY


class Phone:
    """An authenticator app, which shows a new code every half minute."""

    def __init__(self, world: World, key: str) -> None:
        self._world = world
        self._app = pyotp.TOTP(key)

    def code(self, *, off: int = 0) -> str:
        """What it shows now, or showed or will show so many seconds from now."""
        return str(self._app.at(int(self._world.wall_clock.now().timestamp()) + off))

    def next_code(self) -> str:
        """Waits until another code is shown."""
        self._world.wall_clock.advance(seconds=30)
        return self.code()


def with_second_factor(world: World, name: str) -> tuple[Phone, list[str]]:
    """Gives a person a second factor; their phone, which shows a fresh code, and their recovery codes."""
    key = world.app.extensions[KEY].settings.secret_key
    with world.database.write() as session:
        phone = Phone(world, accounts.offer_second_factor(session, name, key).key)
        codes = accounts.confirm_second_factor(session, name, phone.code(), key, world.wall_clock.now())
    assert codes is not None
    world.wall_clock.advance(seconds=30)
    return phone, codes
