"""Instances: where one run of any process stands."""

from __future__ import annotations

from typing import Any, Literal

from engine.views import InstanceView
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Output, Step, Time

calls = Calls("instances")


class InstanceOut(Output):
    """One running or ended instance."""

    id: str
    business_key: str
    process: str
    version: int
    state: Literal["open", "cancelling", "closed", "cancelled"]
    started_at: Time
    ended_at: Time | None
    step: Step | None
    can_cancel: bool
    awaits: list[str]
    variables: dict[str, Any]


def instance_body(view: InstanceView) -> dict[str, Any]:
    """The fields of `InstanceOut`."""
    return {
        "id": view.id,
        "business_key": view.business_key,
        "process": view.process,
        "version": view.version,
        "state": view.status,
        "started_at": view.started_at,
        "ended_at": view.ended_at,
        "step": {"number": view.step, "name": view.step_name or ""} if view.step is not None else None,
        "can_cancel": view.can_cancel,
        "awaits": list(view.awaits),
        "variables": dict(view.variables),
    }


@calls.get("/instances/<id>", permission="orders.read", returns={200: InstanceOut}, problems=(404,))
def get_instance(caller: Caller, id: str) -> InstanceOut:  # noqa: A002 - the path's own word
    """Look at one instance of any process."""
    return InstanceOut(**instance_body(caller.services.engine.instance_by_id(id)))
