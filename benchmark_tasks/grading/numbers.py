"""Which number an answer gives: signs, thousands, decimals, fractions, powers of ten, percent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from benchmark_tasks.grading.text import boxed, plain, said

SAME = Fraction(1, 10**6)
"""Relative difference up to which two numbers are the same: 0.333333 is 1/3."""

_LONGEST, _HIGHEST_POWER = 60, 60
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*(-?\d+)\s*\}\s*\{\s*(\d+)\s*\}|(\d)\s*(\d))")
_POWER = re.compile(r"(?:\*|x|×|\\times|\\cdot|·)\s*10\s*\^\s*\{?\s*([-+]?\d+)\s*\}?")
_BARE_POWER = re.compile(r"(?<![\w.,])10\s*\^\s*\{?\s*([-+]?\d+)\s*\}?")
_NUMBER = re.compile(
    r"(?P<sign>(?:(?<![\w)\]}%])[-+]|\b(?:minus|negative))\s*)?(?:[$€£¥₹]\s*(?P<inner_sign>[-+])?)?"
    r"(?<![\w.,:^/])"
    r"(?:(?:(?P<whole>\d+)\s+)?(?P<numerator>\d+)\s*/\s*(?P<denominator>\d+)(?![\d/])"
    r"|(?P<digits>\d(?:[\d.,'’_]|[\u2009\u202f\u00a0 ](?=\d{3}(?!\d)))*\d|\d|\.\d+))"
    r"(?:\s*[eE](?P<power>[-+]?\d+)(?!\w))?"
    r"(?:\s*\\?(?P<percent>%)|\s*(?P<scale>thousand|million|billion|trillion)\b)?",
    re.IGNORECASE,
)
_JOINER = re.compile(r"\s*(?:[-+*×x/÷^,;:–~]|\\times|\\cdot|or|and|to)?\s*\Z", re.IGNORECASE)
_HASHES = re.compile(r"####[ \t]*([^\n]*)")
_EQUALS = re.compile(r"=|≈|\\approx")


@dataclass(frozen=True)
class Number:
    """A number as it was read. also: another value that it may stand for, such as 0.45 of `45%`."""

    value: Fraction
    also: Fraction | None = None

    def is_same(self, other: Number) -> bool:
        """Whether both may stand for one value."""
        if self.also is not None and other.also is not None:
            return _close(self.also, other.also)
        return any(
            a is not None and b is not None and _close(a, b)
            for a, b in ((self.value, other.value), (self.also, other.value), (self.value, other.also))
        )


def _close(a: Fraction, b: Fraction) -> bool:
    return abs(a - b) <= SAME * max(abs(a), abs(b))


def read_number(text: str) -> Number | None:
    r"""The number; `None` if none is given, or several as its answer.

    In this order: the last `\boxed{42}`, the last `#### 42`, what follows the last `answer is` or `answer:`
    (after its last equals sign), the last number of the text.
    """
    text = _in_one_line(plain(text))
    if (box := boxed(text)) is not None:
        return _single(box)
    if hashes := _HASHES.findall(text):
        return _single(hashes[-1])
    if (statement := said(text)) is not None and _NUMBER.search(statement):
        return _single(statement)
    numbers = list(_NUMBER.finditer(text))
    return _value(numbers[-1]) if numbers else None


def _single(statement: str) -> Number | None:
    """The number of a statement; `None` if it gives two, as `3 or 4` and `10-3` do."""
    found = list(_NUMBER.finditer(_EQUALS.split(statement)[-1]))
    if not found:
        return None
    first, *others = found
    if others and _JOINER.match(first.string[first.end() : others[0].start()]):
        return None
    return _value(first)


def _in_one_line(text: str) -> str:
    """LaTeX's fractions and powers of ten as `3/4` and `1.5e3`."""
    text = _FRACTION.sub(lambda found: f" {found[1] or found[3]}/{found[2] or found[4]}", text)
    return _BARE_POWER.sub(r"1e\1", _POWER.sub(r"e\1", text))


def _value(found: re.Match[str]) -> Number | None:
    """The number of a match; `None` for times, versions, and what is too long to be a number."""
    if re.match(r":\d|\.\d", found.string[found.end() :]):  # 3:30, 1.2.3
        return None
    power = int(found["power"] or 0) if len(found["power"] or "") < _LONGEST else _HIGHEST_POWER + 1
    value = _decimal(found["digits"]) if found["digits"] else _fraction(found)
    if value is None or abs(power) > _HIGHEST_POWER:
        return None
    signs = {(found["sign"] or "").strip().lower(), found["inner_sign"]}
    value *= (-1 if signs & {"-", "minus", "negative"} else 1) * Fraction(10) ** power
    if found["percent"]:
        return Number(value, value / 100)
    return Number(value, value * 10 ** _SCALES[found["scale"].lower()] if found["scale"] else None)


def _fraction(found: re.Match[str]) -> Fraction | None:
    whole, numerator, denominator = (found[name] or "0" for name in ("whole", "numerator", "denominator"))
    if max(map(len, (whole, numerator, denominator))) > _LONGEST or int(denominator) == 0:
        return None
    return int(whole) + Fraction(int(numerator), int(denominator))


def _decimal(digits: str) -> Fraction | None:
    """`1,234.5`, `1.234,5`, `1 234`, `1'234`, `3,5`, `0.5`; `None` where digits are grouped oddly."""
    if len(digits) > _LONGEST:
        return None
    digits = re.sub(r"[\s'’_]", "", digits)
    commas, points = digits.count(","), digits.count(".")
    if commas and points:
        decimal = max(",.", key=digits.rfind)
        if digits.count(decimal) > 1:
            return None
        whole, _, rest = digits.rpartition(decimal)
    elif commas == 1 and (digits.startswith("0") or not re.fullmatch(r"\d{1,3},\d{3}", digits)):
        whole, _, rest = digits.partition(",")
    elif points == 1:
        whole, _, rest = digits.partition(".")
    else:
        whole, rest = digits, ""
    if not rest.isdigit() and rest:
        return None
    groups = re.split("[,.]", whole)
    if len(groups) > 1 and not (
        1 <= len(groups[0]) <= 3
        and len(groups[-1]) == 3
        and all(len(group) in (2, 3) for group in groups[1:])
    ):
        return None
    return Fraction(f"{''.join(groups) or '0'}.{rest or '0'}")
