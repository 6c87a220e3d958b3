"""The five couriers of the template: what each one offers, as a table. A new embedded courier is one more row.

Everything here is arithmetic: a form may read it inside the engine's transaction, no courier is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from handlers.couriers.port import Address, Package, Rate
from handlers.picklists import COURIERS, SHIPPING_METHODS

NORTH_AMERICA = frozenset({"US", "CA", "MX", "PR"})
EUROPE = frozenset({
    "AD", "AL", "AT", "BA", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI",
    "FR", "GB", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD",
    "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "SM", "UA",
    "VA", "XK",
})  # fmt: skip
SOUTH_EAST_ASIA = frozenset({"MY", "SG", "BN", "TH", "ID", "PH", "VN", "KH", "LA", "MM", "TL"})


@dataclass(frozen=True, slots=True)
class Service:
    """What one shipping method costs and how long it takes. Amounts in US cents, days from pickup to door."""

    days: int
    base: int
    per_kg: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What a courier offers."""

    code: str
    label: str
    kind: str
    """One line that tells people which courier this is."""
    countries: frozenset[str] | None
    """ISO codes of the countries it delivers to; None: all."""
    max_weight_g: int
    """The heaviest parcel it takes."""
    max_side_cm: int
    """The longest side it takes."""
    services: Mapping[str, Service] = field(default_factory=dict)
    """By shipping method."""


_TABLE = (
    Profile("courier_a", COURIERS["courier_a"], "North America, ground", NORTH_AMERICA, 30_000, 175,
            {"standard": Service(4, 690, 80)}),
    Profile("courier_b", COURIERS["courier_b"], "worldwide by air, with a night flight", None, 30_000, 150,
            {"standard": Service(8, 1890, 320), "express": Service(2, 2490, 410), "overnight": Service(1, 4490, 620)}),
    Profile("courier_c", COURIERS["courier_c"], "Europe, road network", EUROPE, 31_500, 200,
            {"standard": Service(3, 590, 60)}),
    Profile("courier_d", COURIERS["courier_d"], "Europe, express", EUROPE, 30_000, 150,
            {"express": Service(1, 1690, 190), "overnight": Service(1, 3290, 350)}),
    Profile("courier_e", COURIERS["courier_e"], "Malaysia and its neighbours", SOUTH_EAST_ASIA, 30_000, 150,
            {"standard": Service(2, 350, 45), "express": Service(1, 690, 70)}),
)  # fmt: skip
PROFILES: Mapping[str, Profile] = MappingProxyType({profile.code: profile for profile in _TABLE})
"""By code, in the template's order."""


def objection(
    profile: Profile, *, destination: Address, packages: Sequence[Package], shipping_method: str
) -> str | None:
    """Why this courier would not take these parcels, as one sentence; None when it would."""
    if shipping_method not in profile.services:
        method = SHIPPING_METHODS.get(shipping_method) or shipping_method or "this shipping method"
        return f"{profile.label} does not offer {method}."
    if profile.countries is not None and destination.country not in profile.countries:
        return f"{profile.label} does not deliver to {destination.country or 'an address without a country'}."
    if not packages:
        return f"{profile.label} needs at least one parcel."
    for package in packages:
        if package.weight_g > profile.max_weight_g:
            return (
                f"{profile.label} takes parcels up to {profile.max_weight_g / 1000:g} kg; "
                f"parcel {package.sscc} weighs {package.weight_g / 1000:g} kg."
            )
        longest = max(package.length_cm, package.width_cm, package.height_cm)
        if longest > profile.max_side_cm:
            return (
                f"{profile.label} takes parcels up to {profile.max_side_cm} cm long; "
                f"parcel {package.sscc} is {longest} cm long."
            )
    return None


def quote(profile: Profile, *, destination: Address, packages: Sequence[Package], shipping_method: str) -> Rate | None:
    """What this courier would ask for these parcels; None when it would not take them."""
    if objection(profile, destination=destination, packages=packages, shipping_method=shipping_method):
        return None
    service = profile.services[shipping_method]
    kilograms = sum(-(-package.weight_g // 1000) for package in packages)
    amount = service.base * len(packages) + service.per_kg * kilograms
    return Rate(profile.code, shipping_method, amount, "USD", service.days)
