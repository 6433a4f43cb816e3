"""What commands print: rows and results on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def print_rows(
    rows: list[dict[str, Any]],
    as_json: bool,
    columns: Callable[[dict[str, Any]], tuple[Any, ...]],
    wrap: str | None = None,
) -> None:
    """Rows as JSON (under the key `wrap`), or as aligned columns."""
    if as_json:
        print(json.dumps({wrap: rows} if wrap else rows, indent=1))
        return
    table = [[str(cell) if cell is not None else "-" for cell in columns(row)] for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))] if table else []
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)
