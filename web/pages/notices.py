"""Security notices leave when the answer has left: a mail server that is slow keeps nobody waiting."""

from __future__ import annotations

from collections.abc import Sequence

from engine import Actor
from engine.views import DelegationView
from web.accounts.letters import Letters
from web.accounts.notices import Notice, notices_of_loan
from web.services import current_services


def send_notices(by: Actor, notices: Sequence[Notice]) -> None:
    """Sends them in the name of who made the changes, which are committed."""
    services = current_services()
    if notices:
        letters = Letters(services.engine, services.ports, by, services.wall_clock)
        services.errands.run("a security notice", lambda: letters.tell(notices))


def tell_of_loan(by: Actor, made: DelegationView) -> None:
    """Tells whom it concerns that a right to sign was lent."""
    services = current_services()
    with services.engine.reading() as session:
        notices = notices_of_loan(session, made, by, services.wall_clock.now())
    send_notices(by, notices)
