"""Delegations: who signs for whom, from when to when; giving one, and ending it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for
from markupsafe import Markup

from engine.delegations import LONGEST
from engine.errors import Conflict, InvalidForm, NotAllowed
from engine.views import Amount, DelegationView, Gate
from handlers.money import parse
from web.names import everybody, named, who
from web.pages.errors import error_page
from web.pages.notices import tell_of_loan
from web.pages.shell import me, page_of, times
from web.permissions import permission
from web.services import current_services
from web.text import bdi
from web.texts import N_, _
from web.times import WrongTime

_PLURAL = {"running": N_("Running now"), "planned": N_("To come"), "ended": N_("Ended"), "revoked": N_("Revoked")}
_SIGNS = {
    "running": (
        N_("You sign for %(principal)s"), N_("%(delegate)s signs for you"), N_("%(delegate)s signs for %(principal)s"),
    ),
    "planned": (
        N_("You will sign for %(principal)s"), N_("%(delegate)s will sign for you"),
        N_("%(delegate)s will sign for %(principal)s"),
    ),
    "ended": (
        N_("You signed for %(principal)s"), N_("%(delegate)s signed for you"),
        N_("%(delegate)s signed for %(principal)s"),
    ),
}  # fmt: skip
_FIELDS = ("principal", "to", "team", "starts_at", "ends_at", "up_to", "currency", "reason")
USUAL_CURRENCY = "USD"
"""In which the table of signatures counts, too."""


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/delegations", "delegations", show)
    pages.add_url_rule("/delegations", "delegate", give, methods=["POST"])
    pages.add_url_rule("/delegations/<delegation_id>/revoke", "revoke_delegation", revoke, methods=["POST"])


@permission("delegations")
def show() -> Any:
    """The person's delegations, given and taken, and the form to give one; for owner and admin everybody's."""
    return _page({})


@permission("delegations")
def give() -> Any:
    """Lends the right to sign."""
    services, person = current_services(), me()
    typed = {name: request.form.get(name, "").strip() for name in _FIELDS}
    gates = request.form.getlist("gates")
    starts, ends, errors = services.clock.now(), None, {}
    try:
        starts = times().read(typed["starts_at"]) if typed["starts_at"] else starts
    except WrongTime as wrong:
        errors["starts_at"] = f"{_('Enter a day and a time, or leave it empty: then it begins now.')} {wrong}"
    try:
        ends = times().read(typed["ends_at"])
    except WrongTime as wrong:
        asked = _("Enter the day and the time at which it ends.")
        errors["ends_at"] = f"{asked} {wrong}" if typed["ends_at"] else asked
    if not typed["to"]:
        errors["to"] = _("Choose who signs for you.")
    up_to = None
    try:
        up_to = _limit(typed)
    except ValueError as wrong:
        errors["up_to"] = str(wrong)
    if errors or ends is None:
        return _page(errors, typed, gates, status=422)
    try:
        made = services.engine.delegate(
            person.actor, principal=typed["principal"] or person.name, to=typed["to"], team=typed["team"], gates=gates,
            starts_at=starts, ends_at=ends, reason=typed["reason"],
            up_to=up_to,
        )  # fmt: skip
    except InvalidForm as refused:
        found = {error.field.strip("/").partition("/")[0]: _named(error.message, typed) for error in refused.errors}
        return _page(found, typed, gates, status=422)
    except NotAllowed as refused:
        return _page({"principal": named(refused)}, typed, gates, status=403)
    tell_of_loan(person.actor, made)
    said = _("%(delegate)s signs for %(principal)s from now on.", **_people(made)) if made.state == "running" \
        else _("%(delegate)s will sign for %(principal)s.", **_people(made))  # fmt: skip
    flash(said)
    return redirect(url_for("pages.delegations"), 303)


@permission("delegations")
def revoke(delegation_id: str) -> Any:
    """Ends a delegation at once."""
    back = url_for("pages.delegations")
    try:
        ended = current_services().engine.revoke_delegation(delegation_id, me().actor, request.form.get("reason", ""))
    except (Conflict, NotAllowed, InvalidForm) as refused:
        why = refused.errors[0].message if isinstance(refused, InvalidForm) else named(refused)
        return error_page(409 if isinstance(refused, Conflict) else 403, _("It was not revoked"), why, back=back)
    flash(_("Revoked. %(delegate)s does not sign for %(principal)s any more.", **_people(ended)))
    return redirect(back, 303)


def _page(
    errors: Mapping[str, str], typed: Mapping[str, str] | None = None, chosen: Sequence[str] = (), *, status: int = 200
) -> Response:
    services, person = current_services(), me()
    gates = _gates(services.engine.signers().gates)
    admin = person.actor.is_administrator
    teams = sorted({gate.team for gate in gates} & (person.actor.teams if not admin else {g.team for g in gates}))
    now = services.clock.now()
    body = page_of(
        "delegations.html",
        section="delegations",
        groups=_groups(services.engine.delegations(person.actor)),
        gates=gates,
        signs=_signs,
        names={gate.element: gate.name for gate in gates},
        teams=teams,
        admin=admin,
        principals=[user for user in everybody().values() if user.active and set(user.teams) & set(teams)],
        people=_delegates(set(teams)),
        chosen=chosen,
        typed=typed or {"starts_at": times().typed(now), "ends_at": times().typed(now + timedelta(days=7)),
                        "currency": USUAL_CURRENCY},
        errors=errors,
        longest=LONGEST.days,
    )
    return make_response(body, status)


def _limit(typed: Mapping[str, str]) -> Amount | None:
    """The amount up to which somebody signs, where one was entered. ValueError, with a sentence."""
    if not typed["up_to"]:
        return None
    currency = typed["currency"].upper()
    return Amount(parse(typed["up_to"], currency), currency)


def _delegates(teams: set[str]) -> list[Any]:
    """Who could take a delegation: active, signs not for each of these teams already, does tasks."""
    houses = {key for key, team in current_services().teams.known().items() if not team.works}
    me_ = me().name
    return [
        user
        for user in everybody().values()
        if user.active and user.name != me_ and not houses & set(user.teams) and not teams <= set(user.teams)
    ]


def _gates(gates: Sequence[Gate]) -> list[Gate]:
    """Each gate once, the way the newest version has it."""
    found: dict[str, Gate] = {}
    for gate in sorted(gates, key=lambda gate: gate.version):
        found[gate.element] = gate
    return sorted(found.values(), key=lambda gate: (gate.process, gate.step or 0))


def _groups(views: Sequence[DelegationView]) -> list[tuple[str, list[DelegationView]]]:
    groups: dict[str, list[DelegationView]] = {}
    for view in views:
        groups.setdefault(_PLURAL[view.state], []).append(view)
    return [(_(title), groups[title]) for title in _PLURAL.values() if title in groups]


def _people(view: DelegationView) -> dict[str, str]:
    return {"delegate": who(view.delegate), "principal": who(view.principal)}


def _signs(view: DelegationView) -> Markup:
    """`You sign for Helena Brandt`, `Mei Tan will sign for you`."""
    mine, for_me, others = _SIGNS.get(view.state, _SIGNS["ended"])
    text = mine if view.delegate == me().name else for_me if view.principal == me().name else others
    return Markup(_(text)) % {name: bdi(shown) for name, shown in _people(view).items()}  # noqa: S704 - our own text


def _named(message: str, typed: Mapping[str, str]) -> str:
    """A refusal with the two people's names as they are read."""
    for name in sorted({typed["principal"], typed["to"]} - {""}, key=len, reverse=True):
        if message.startswith(f"{name} "):
            return who(name) + message[len(name) :]
    return message
