"""Who has a task, as its page says it to others."""

from __future__ import annotations

from engine.views import TaskView
from web.names import who
from web.pages.shell import absence, times
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
