"""Live orders and a change: what moving them to a version would do, moving them, and what became of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from engine.errors import NotFound
from engine.impact import Impact
from engine.migration import LONGEST_REASON, MOST_NAMED, MigrationView
from handlers.contract import FieldError
from web.api.auth import Caller
from web.api.endpoint import Calls, Reply
from web.api.models import BusinessKey, Input, Listing, Output, Paging, Query, Time
from web.problems import bad_input

calls = Calls("processes")

MoveState = Literal["waiting", "moved", "stays", "refused"]
Version = Annotated[int, Field(ge=1, lt=2**31)]


class ImpactQuery(Query):
    """To which version."""

    to: Version = Field(description="The number of a version, whatever its state.")


class ImpactGroupOut(Output):
    """Live orders to which the change does the same."""

    kind: Literal["stays", "moves", "form_changes", "lacks", "cannot"] = Field(
        description="They go on as they are; what lies ahead of them is new, changed or gone; a task that is open "
                    "changes; they could move, and would come to what reads a variable that they have not got; they "
                    "cannot move."
    )
    element: str | None = Field(
        description="What is new, whose form changes, what reads what they lack, or what stops them."
    )
    name: str
    why: str
    count: int
    orders: list[str] = Field(description="Some of their numbers, the oldest first.")


class ImpactOut(Output):
    """What moving all live orders of a process to a version would do."""

    key: str
    to_version: int | None
    total: int = Field(description="Live orders.")
    can_move: int
    groups: list[ImpactGroupOut]
    seconds: float = Field(description="How long it took to work this out.")


class Migrate(Input):
    """Which live orders go where, and why."""

    to: Version = Field(description="A deployed version.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_REASON)] = Field(
        description="Kept in the history of every order."
    )
    orders: list[BusinessKey] | None = Field(
        None, min_length=1, max_length=MOST_NAMED, description="These only; left out: every live one."
    )
    dry_run: bool = Field(False, description="Only say what would become of them.")


class MoveOut(Output):
    """What became of one order."""

    order: str
    from_version: int
    state: MoveState = Field(description="`stays`: it had ended, or was there already.")
    why: str
    at: Time | None


class MigrationOut(Listing[MoveOut]):
    """One migration, with a page of its orders."""

    id: int
    key: str
    to_version: int
    actor: str
    reason: str
    created_at: Time
    total: int
    waiting: int
    moved: int
    stays: int
    refused: int


class MigrationQuery(Paging):
    """Which of its orders."""

    state: MoveState | None = None


@calls.get(
    "/processes/<key>/impact", permission="processes.read", query=ImpactQuery, returns={200: ImpactOut},
    problems=(404,),
)  # fmt: skip
def show_impact(caller: Caller, key: str, query: ImpactQuery) -> ImpactOut:
    """Say what moving all live orders to a version would do, without doing it; also before it is deployed."""
    return impact_body(caller.services.engine.impact(key, query.to))


@calls.post(
    "/processes/<key>/migrate", permission="processes.write", body=Migrate,
    returns={202: MigrationOut, 200: ImpactOut}, problems=(404, 409),
)  # fmt: skip
def migrate(caller: Caller, key: str, body: Migrate) -> Reply:
    """Move live orders to a deployed version. 202: workers move them; `Location` tells how far they are.

    With `dry_run` nothing is moved: 200, with what would become of all live orders.
    """
    engine = caller.services.engine
    if body.dry_run:
        if body.orders is not None:
            raise bad_input(FieldError("/orders", "A dry run looks at every live order; leave this out."))
        return Reply(impact_body(engine.impact(key, body.to)), 200)
    begun = engine.migrate(key, body.to, caller.actor, reason=body.reason, orders=body.orders)
    return Reply(_body(begun), 202, {"Location": f"/api/v1/processes/{begun.key}/migrations/{begun.id}"})


@calls.get(
    "/processes/<key>/migrations/<id>", permission="processes.read", query=MigrationQuery,
    returns={200: MigrationOut}, problems=(404,),
)  # fmt: skip
def show_migration(caller: Caller, key: str, id: str, query: MigrationQuery) -> MigrationOut:  # noqa: A002
    """Show how far a migration is, and what became of each of its orders."""
    if not (id.isascii() and id.isdigit() and len(id) < 10):
        raise NotFound("There is no such migration.")
    engine = caller.services.engine
    return _body(engine.migration(int(id), key=key, state=query.state, limit=query.size, cursor=query.cursor))


def impact_body(impact: Impact) -> ImpactOut:
    return ImpactOut.model_validate(impact)


def _body(view: MigrationView) -> MigrationOut:
    return MigrationOut(
        id=view.id, key=view.key, to_version=view.to_version, actor=view.actor, reason=view.reason,
        created_at=view.created_at, total=view.total, waiting=view.waiting, moved=view.moved, stays=view.stays,
        refused=view.refused, items=[MoveOut.model_validate(item) for item in view.items.items], next=view.items.next,
    )  # fmt: skip
