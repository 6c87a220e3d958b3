"""The inbox: what waits for my teams, soonest due first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, g, redirect, request, url_for

from engine.tasklists import Wanted
from engine.views import TaskView
from web import order_search, queries
from web.pages.holding import taken_over
from web.pages.shell import first, live, me, page_of, searched, shell, times, word
from web.permissions import permission
from web.services import current_services
from web.text import counted
from web.texts import N_, _

View = Literal["teams", "mine", "today", "late"]
_PER_PAGE = 60


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks the list shows. Kept in the address of the list and of every task opened from it."""

    view: View = "teams"
    team: str | None = None
    step: int | None = None
    q: str | None = None
    cursor: str | None = None

    def address(self, **changes: Any) -> dict[str, Any]:
        """The query of an address that keeps the filter."""
        values = {
            "view": self.view if self.view != "teams" else None,
            "team": self.team,
            "step": self.step,
            "q": self.q,
        }
        return {k: v for k, v in {**values, **changes}.items() if v is not None}


@dataclass(frozen=True, slots=True)
class Listing:
    """The list as its template needs it."""

    filter: Filter
    key: str
    """Which list this is, whatever page of it: the browser keeps its place by it."""
    groups: tuple[tuple[str, tuple[TaskView, ...]], ...]
    """Named in English; the template puts the names into the reader's language."""
    customers: Mapping[str, queries.Customer]
    counts: Mapping[str, int]
    teams: tuple[tuple[str, str, int], ...]
    next: str | None
    picks: frozenset[str] | None = frozenset()
    """The tasks that are ticked; None for whoever does no tasks."""

    @property
    def told(self) -> dict[str, str]:
        """The counts as they are written, by the names of their places."""
        return {"teams" if name == "all" else name: counted(number) for name, number in self.counts.items()}

    @property
    def narrowed(self) -> str:
        """What the filter leaves beside the view: `Stock approvers step 5 “Tanaka”`."""
        chosen = self.filter
        step = _("step %(step)s", step=chosen.step) if chosen.step else ""
        return " ".join(part for part in (
            word(chosen.team) if chosen.team else "", step, f"“{chosen.q}”" if chosen.q else "",
        ) if part)  # fmt: skip

    @property
    def empty(self) -> bool:
        return not self.groups


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/", "home", home)
    pages.add_url_rule("/inbox", "inbox", inbox)
    pages.add_url_rule("/inbox/list", "inbox_list", inbox_list)


@permission("signed-in")
def home() -> Any:
    """The first page."""
    return redirect(url_for("pages.inbox"))


@permission("tasks.read")
def inbox() -> Any:
    """The list, with nothing opened."""
    listing = read_listing()
    return page_of("inbox.html", section="inbox", listing=listing, list_html=list_part(listing, None), selected=None)


@permission("tasks.read")
def inbox_list() -> Any:
    """The list alone, asked for every few seconds; with the numbers of the menu, and who has taken the open task."""
    selected = request.args.get("selected")
    taken = taken_over(selected) if selected else None
    return live("parts/task_list.html", listing=read_listing(), selected=selected, taken=taken, menu=shell().told)


def list_part(listing: Listing, selected: str | None) -> str:
    """The list as a part of a page."""
    return first("parts/task_list.html", listing=listing, selected=selected, taken=None, menu=shell().told)


def read_filter() -> Filter:
    """The filter in the request's address."""
    args = request.args
    view = args.get("view", "teams")
    step = args.get("step", type=int)
    team = args.get("team")
    return Filter(
        view=view if view in ("mine", "today", "late") else "teams",  # type: ignore[arg-type]
        team=team if team in current_services().teams.known() else None,
        step=step if step and 1 <= step <= 20 else None,
        q=searched() or None,
        cursor=args.get("cursor"),
    )


def wanted_of(chosen: Filter) -> Wanted:
    """The filter as the engine's lists take it; a search looks up its orders."""
    found = order_search.tasks_found(current_services().engine, chosen.q) if chosen.q else None
    return Wanted(
        team=chosen.team,
        mine=chosen.view == "mine",
        step=chosen.step,
        found=found,
        overdue=chosen.view == "late",
        due_before=times().day_end() if chosen.view == "today" else None,
    )


def read_listing(picks: frozenset[str] = frozenset(), *, beside: Sequence[str] = ()) -> Listing:
    """Asks for the tasks of the filter: one page, the counts and the customers' names, also of orders `beside` it.
    Three statements, and three for a search."""
    person, chosen, services = me(), read_filter(), current_services()
    wanted = wanted_of(chosen)
    page = services.engine.tasks(
        person.actor, team=wanted.team, mine=wanted.mine, step=wanted.step, found=wanted.found,
        overdue=wanted.overdue, due_before=wanted.due_before, limit=_PER_PAGE, cursor=chosen.cursor,
    )  # fmt: skip
    counts = services.engine.task_counts(person.actor, wanted, day_ends=times().day_end())
    if "inbox" in counts:
        g.inbox_count = counts["inbox"]  # the shell shows the same number
    with services.database.read() as session:
        customers = queries.customers(session, [*(task.order for task in page.items), *beside])
    teams = tuple(
        (key, team.title, counts[f"team:{key}"])
        for key, team in services.teams.known().items() if counts.get(f"team:{key}")
    )  # fmt: skip
    key = url_for("pages.inbox", **chosen.address())
    ticked = None if person.actor.sees_all else picks
    return Listing(chosen, key, _groups(page.items), customers, counts, teams, page.next, ticked)


def _groups(tasks: Iterable[TaskView]) -> tuple[tuple[str, tuple[TaskView, ...]], ...]:
    groups: dict[str, list[TaskView]] = {}
    now = times()
    for task in tasks:
        groups.setdefault(now.due(task.due_at).group if task.due_at else N_("No due time"), []).append(task)
    return tuple((name, tuple(found)) for name, found in groups.items())
