"""How numbers are written on every page: three significant digits, a unit that reads well, no exponent."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, thousands set apart, no exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def energy(joules: float) -> str:
    """Joules in the unit that reads best: mJ, J, kJ or MJ."""
    for limit, factor, unit in ((1e-1, 1e3, "mJ"), (1e3, 1, "J"), (1e6, 1e-3, "kJ")):
        if joules < limit:
            return f"{significant(joules * factor)} {unit}"
    return f"{significant(joules * 1e-6)} MJ"


_LITTLE = 0.01
"""A change below which a whole number of per cent says too little."""


def per_cent(change: float) -> str:
    """A change as per cent with its sign; one decimal below 1 %, so that little is not nothing."""
    return exact_per_cent(change) if 0 < abs(change) < _LITTLE else f"{100 * change:+.0f} %"


def exact_per_cent(change: float) -> str:
    """A change as per cent with its sign and one decimal."""
    return f"{round(100 * change, 1) + 0.0:+.1f} %"  # no minus before a zero


def number(value: float | None, digits: int = 3) -> str:
    """A number for a cell of a table; a dash where there is none. Whole numbers keep all their digits."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,}" if isinstance(value, int) else significant(value, digits)


def trimmed(value: float | None, digits: int = 3) -> str:
    """A number without zeros at its end; a dash where there is none."""
    if value is None:
        return "\N{EN DASH}"
    text = significant(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def day(moment: datetime | date | None) -> str:
    """A day in UTC; a dash where there is none."""
    if moment is None:
        return "\N{EN DASH}"
    return f"{moment.astimezone(UTC) if isinstance(moment, datetime) else moment:%F}"


def month(moment: datetime) -> str:
    """A month in UTC, as folders of bundles are named."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def minute(moment: datetime | None) -> str:
    """A moment in UTC to the minute; a dash where there is none."""
    return "\N{EN DASH}" if moment is None else f"{moment.astimezone(UTC):%F %H:%M}"


FILTERS = {
    "significant": significant,
    "energy": energy,
    "per_cent": per_cent,
    "exact_per_cent": exact_per_cent,
    "number": number,
    "trimmed": trimmed,
    "day": day,
    "minute": minute,
    "month": month,
}
"""As filters of the templates."""
