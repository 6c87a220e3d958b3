"""What may be deployed. `check` says everything that is wrong with a bundle, naming element, line and what to do.

SpiffWorkflow parses many things that it then runs wrongly or not at all; the rules here refuse them. They are sorted
by subject: `elements` (what is run at all), `structure` (flows), `lanes`, `tasks`, `approvals`, `events`, `variables`
(expressions), `forms`, `picture`, and `bundle`, which joins them and looks across files.
"""

from engine.lint.bundle import check, placed

__all__ = ["check", "placed"]
