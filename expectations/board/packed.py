"""Columns of rows as JSON that is small: each column in the shortest of a few forms.

    [v, v, ...]                                the values
    {"all": v}                                 the same value in every row
    {"values": [v, ...], "rows": [i, ...]}     a list of values and, per row, the place of its value in it
    {"values": [v, ...], "runs": [[i, n] ...]} the same, where n neighbouring rows share a value
    {"values": [v, ...], "at": [row, ...]}     the values that are not null and their rows
    {"hex": n, "base64": text}                 ids of n hexadecimal digits, one after the other

`explorer/scripts/rows.js` reads them.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

SIGNIFICANT_DIGITS = 6
_LARGEST_INTEGER = 1e15  # that JavaScript's numbers hold exactly, with room
_HEX = re.compile(r"(?:[0-9a-f]{2})+")

Packed = list[Any] | dict[str, Any]


def pack(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Packed]:
    """One packed column per name; floats are cut to six significant digits, times are in UTC."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return {
        name: pack_column([_cut(value) for value in column])
        for name, column in zip(names, columns, strict=True)
    }


def pack_column(values: Sequence[Any]) -> Packed:
    """The shortest form of one column."""
    return min(_forms(values), key=lambda form: len(json.dumps(form, separators=(",", ":"))))


def _forms(values: Sequence[Any]) -> Iterator[Packed]:
    yield list(values)
    distinct = list(dict.fromkeys(values))
    if len(distinct) == 1:
        yield {"all": distinct[0]}
    if len(distinct) < len(values):
        place = {value: index for index, value in enumerate(distinct)}
        yield {"values": distinct, "rows": [place[value] for value in values]}
        runs = [[place[value], len(list(group))] for value, group in itertools.groupby(values)]
        yield {"values": distinct, "runs": runs}
    if any(value is None for value in values):
        present = [(row, value) for row, value in enumerate(values) if value is not None]
        yield {"values": [value for _, value in present], "at": [row for row, _ in present]}
    if _equal_hex(values):
        yield {"hex": len(values[0]), "base64": base64.b64encode(bytes.fromhex("".join(values))).decode()}


def _equal_hex(values: Sequence[Any]) -> bool:
    """Whether all are hexadecimal numbers of one length."""
    texts = {len(value) if isinstance(value, str) and _HEX.fullmatch(value) else 0 for value in values}
    return len(texts) == 1 and 0 not in texts


def _cut(value: Any) -> Any:
    if isinstance(value, float):
        cut = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        return int(cut) if cut.is_integer() and abs(cut) < _LARGEST_INTEGER else cut
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%FT%H:%MZ}"
    return value
