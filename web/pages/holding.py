"""Who has a task, as its page says it to others."""

from __future__ import annotations

from engine.views import TaskView
from web import queries
from web.names import who
from web.pages.shell import absence, me, times
from web.services import current_services
from web.texts import _


def held_by(task: TaskView) -> str:
    """Who has it, since when."""
    values, away = {"name": who(task.assignee)}, absence(task.assignee)
    if task.claimed_at is None:
        return _("%(name)s%(away)s, has this task.", away=away, **values) if away else (
            _("%(name)s has this task.", **values))
    values |= {"time": times().when(task.claimed_at), "span": times().since(task.claimed_at)}
    return _("%(name)s%(away)s, has this task since %(time)s, for %(span)s.", away=away, **values) if away else (
        _("%(name)s has this task since %(time)s, for %(span)s.", **values))


def taken_over(task_id: str) -> str | None:
    """Who has taken the task from the one who asks, and why; None when nobody has. One statement."""
    person, services = me(), current_services()
    with services.database.read() as session:
        found = queries.taken_over(session, task_id, person.name)
    if found is None:
        return None
    return _("%(name)s has taken this over: “%(why)s”", name=who(found[0]), why=found[1])
