"""What a list is narrowed to, as a whole sentence for each way."""

from __future__ import annotations

from collections.abc import Mapping

from web.pages.shell import word
from web.texts import N_, _

_LISTED = {
    "": (N_("Orders."), N_("Late orders.")),
    "q": (N_("Orders with “%(q)s”."), N_("Late orders with “%(q)s”.")),
    "step": (N_("Orders that stand at step %(step)s."), N_("Late orders that stand at step %(step)s.")),
    "team": (N_("Orders that wait for %(team)s."), N_("Late orders that wait for %(team)s.")),
    "q step": (
        N_("Orders with “%(q)s” that stand at step %(step)s."),
        N_("Late orders with “%(q)s” that stand at step %(step)s."),
    ),
    "q team": (
        N_("Orders with “%(q)s” that wait for %(team)s."),
        N_("Late orders with “%(q)s” that wait for %(team)s."),
    ),
    "step team": (
        N_("Orders that stand at step %(step)s and wait for %(team)s."),
        N_("Late orders that stand at step %(step)s and wait for %(team)s."),
    ),
    "q step team": (
        N_("Orders with “%(q)s” that stand at step %(step)s and wait for %(team)s."),
        N_("Late orders with “%(q)s” that stand at step %(step)s and wait for %(team)s."),
    ),
}
_SHOWN = {
    "": (N_("Only orders."), N_("Only late orders.")),
    "q": (N_("Only orders with “%(q)s”."), N_("Only late orders with “%(q)s”.")),
    "team": (N_("Only orders that wait for %(team)s."), N_("Only late orders that wait for %(team)s.")),
    "q team": (
        N_("Only orders that wait for %(team)s with “%(q)s”."),
        N_("Only late orders that wait for %(team)s with “%(q)s”."),
    ),
}
"""On the board. Each: all of them, late ones."""


def listed(*, q: str, step: int | None, team: str | None, late: bool) -> str:
    """Which orders the list shows: `Late orders that stand at step 5.`"""
    chosen = {"q": q, "step": step, "team": team and word(team)}
    return _(_LISTED[_ways(chosen)][late], **chosen)


def on_board(*, q: str, team: str | None, late: bool) -> str:
    """Which orders the board shows: `Only late orders that wait for Finance.`"""
    chosen = {"q": q, "team": team and word(team)}
    return _(_SHOWN[_ways(chosen)][late], **chosen)


def _ways(chosen: Mapping[str, object]) -> str:
    return " ".join(name for name, value in chosen.items() if value)
