"""Which tax stands on an invoice: rate and name by the country shipped to and the day of the invoice.

One rate a country: every product is taken as standard-rated and the shop as registered where it ships to. That is the
example company's rule, not tax advice; reduced rates, thresholds, exemptions and taxes of states and provinces are left
out on purpose.

Sources. European countries: the package `eu-vat-rates-data` (European Commission, Taxes in Europe Database; it holds
the rate of today only). All others: `_OUTSIDE`, the standard rates published by each country's tax authority as known
in 2026, each with the day it began where it changed lately. US: none here (sales tax is a matter of the states). CA:
GST alone, without provincial tax. MX, AR, VE, CL, CO: IVA. BR: the usual ICMS of a state. MY: SST at the service tax
rate (6 % until February 2024). CH and LI: 7.7 % until 2023. SG: GST, 7 % until 2022, 8 % in 2023. AU, NZ, IN: GST.
JP: consumption tax. Others: VAT.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import eu_vat_rates_data

_ALWAYS = date.min


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax as it stands on an invoice."""

    name: str
    rate_bp: int
    """Basis points: 2000 is 20 %."""


NO_TAX = Tax("No tax", 0)

# Country → (first day, name, basis points), newest first.
_OUTSIDE: dict[str, tuple[tuple[date, str, int], ...]] = {
    "AE": ((date(2018, 1, 1), "VAT", 500),),
    "AR": ((_ALWAYS, "IVA", 2100),),
    "AU": ((_ALWAYS, "GST", 1000),),
    "BR": ((_ALWAYS, "ICMS", 1800),),
    "CA": ((_ALWAYS, "GST", 500),),
    "CH": ((date(2024, 1, 1), "VAT", 810), (_ALWAYS, "VAT", 770)),
    "CL": ((_ALWAYS, "IVA", 1900),),
    "CN": ((_ALWAYS, "VAT", 1300),),
    "CO": ((_ALWAYS, "IVA", 1900),),
    "GB": ((_ALWAYS, "VAT", 2000),),
    "ID": ((_ALWAYS, "VAT", 1100),),
    "IN": ((_ALWAYS, "GST", 1800),),
    "JP": ((_ALWAYS, "Consumption tax", 1000),),
    "KR": ((_ALWAYS, "VAT", 1000),),
    "LI": ((date(2024, 1, 1), "VAT", 810), (_ALWAYS, "VAT", 770)),
    "MX": ((_ALWAYS, "IVA", 1600),),
    "MY": ((date(2024, 3, 1), "SST", 800), (_ALWAYS, "SST", 600)),
    "NO": ((_ALWAYS, "VAT", 2500),),
    "NZ": ((_ALWAYS, "GST", 1500),),
    "PH": ((_ALWAYS, "VAT", 1200),),
    "SG": ((date(2024, 1, 1), "GST", 900), (date(2023, 1, 1), "GST", 800), (_ALWAYS, "GST", 700)),
    "TH": ((_ALWAYS, "VAT", 700),),
    "US": ((_ALWAYS, NO_TAX.name, NO_TAX.rate_bp),),
    "VE": ((_ALWAYS, "IVA", 1600),),
    "VN": ((_ALWAYS, "VAT", 1000),),
    "ZA": ((_ALWAYS, "VAT", 1500),),
}


def tax_for(country: str, on: date) -> Tax:
    """The tax on goods shipped to a country (ISO 3166-1 alpha-2) and invoiced on a day; `NO_TAX` for an unknown one."""
    for first_day, name, rate_bp in _OUTSIDE.get(country, ()):
        if on >= first_day:
            return Tax(name, rate_bp)
    standard = eu_vat_rates_data.get_standard_rate(country)
    return NO_TAX if standard is None else Tax("VAT", round(standard * 100))
