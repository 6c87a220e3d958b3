"""Runs diagrams durably. The only package that imports SpiffWorkflow; knows no order and no Flask.

`Engine` is the whole interface: its methods are the commands and the reads, each command one transaction. Its parts
stand in one file each: `commands` (start, complete, deliver, cancel), `approvals` (decide), `delegations` (lend,
revoke, who signs what), `emergencies` (override, alarms), `jobs` (work, retry), `inbox` (claim, release, drafts,
lists), `queue` (the gates that wait for one person), `reads` (instances, history, diagrams), `messages` (list, set
aside), `journal` (what is no order's history),
`leaving` (whose tasks go back), `questions` (ask, answer), `scans` (what was refused),
`deployment` (check, deploy, propose, consent), `drafts` (what analysts work on), `seals` (seal) and `auditing` (verify,
export).
"""

from __future__ import annotations

from engine.auditing import Auditing
from engine.comparing import Comparing
from engine.definitions import Bundle
from engine.drafts import Drafts
from engine.leaving import Leaving
from engine.questions import Questions
from engine.queue import Queues
from engine.scans import Scans
from engine.store.database import Database
from engine.views import SYSTEM, Actor
from engine.worker import Worker

__all__ = ["SYSTEM", "Actor", "Bundle", "Database", "Engine", "Worker"]


class Engine(Questions, Scans, Drafts, Comparing, Auditing, Queues, Leaving):
    """The engine: made once by `app.py` from a database, the registry of operations and a clock."""
