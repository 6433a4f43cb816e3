"""How numbers are written for readers."""

from __future__ import annotations

import math


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, thousands set apart, no exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    first = math.floor(math.log10(abs(value)))
    decimals = max(0, digits - 1 - first)
    return f"{round(value, digits - 1 - first):,.{decimals}f}"
