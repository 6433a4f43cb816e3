"""What commands print: rows and results on stdout, progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any


def print_rows(
    rows: list[dict[str, Any]],
    as_json: bool,
    columns: Callable[[dict[str, Any]], tuple[Any, ...]],
    wrap: str | None = None,
) -> None:
    """Rows as JSON (under the key `wrap`), or as aligned columns."""
    if as_json:
        print(json_text({wrap: rows} if wrap else rows))
        return
    table = [[str(cell) if cell is not None else "-" for cell in columns(row)] for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))] if table else []
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def json_text(value: Any) -> str:
    """A value as JSON. A number that JSON does not have (NaN, infinity) is null, other types are texts."""
    return json.dumps(_finite(value), indent=1, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_finite(item) for item in value]
    return value


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)
