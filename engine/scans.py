"""What a person scanned at a task and was refused, in the order's history.

A wrong piece that was nearly packed says where an order went wrong, or where a shelf is mixed up; so it is kept, like
every other refused attempt. It moves nothing and is no work on the order.
"""

from __future__ import annotations

from engine import forms
from engine.errors import InvalidForm
from engine.reads import Reads
from engine.views import Actor
from handlers.contract import FieldError

LONGEST_CODE = 200


class Scans(Reads):
    """Notes refused scans."""

    def note_wrong_scan(self, task_id: str, actor: Actor, code: str, message: str) -> None:
        """Writes into the history that a code was refused at an open task, and what the person was told.

        NotFound, NotAllowed, AlreadyDone, TakenByAnother, as for everything else that is done at a task.
        """
        forms.check_values(code, at="/code")
        if not 0 < len(code) <= LONGEST_CODE:
            raise InvalidForm([FieldError("/code", f"A code has 1 to {LONGEST_CODE} characters.")])
        with self.transaction() as tx:
            unit, _, element = self._open(tx, task_id, actor)
            unit.event("wrong_scan", element, code=code, message=message)
            unit.save()
