"""The figures of a reading for its script: specifications without their rows, and the rows, packed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expectations.board.packed import pack

ROOM = Path(__file__).parent
SCRIPTS = (ROOM.parent / "explorer" / "scripts" / "rows.js", ROOM / "reading.js")
"""What draws the figures again, in the order in which they need each other."""

SCRIPT = "reading.js"
"""File name in the site's folder."""


def write_script(folder: Path) -> None:
    """Write the script that all readings share."""
    (folder / SCRIPT).write_text("\n".join(path.read_text() for path in SCRIPTS))


def figures_script(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The text of a source's file of figures. figures: per name the specification of each layout.

    Rows stand once, though both layouts draw them. The text has no `<`: it can stand inside a page's script.
    """
    tables: dict[str, dict[str, Any]] = {}
    plain = {
        name: {layout: _without_rows(specification, tables) for layout, specification in layouts.items()}
        for name, layouts in figures.items()
    }
    content = {"tables": list(tables.values()), "figures": plain}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f"const READING = {text};\n"


def _without_rows(specification: Mapping[str, Any], tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The specification with a number in place of each list of rows; the rows go into `tables`."""
    data = []
    for entry in specification.get("data", ()):
        values = entry.get("values")
        if values and isinstance(values[0], dict):
            key = json.dumps(values, sort_keys=True)
            tables.setdefault(key, _packed(values))
            data.append({**entry, "values": list(tables).index(key)})
        else:
            data.append(entry)
    return {**specification, "data": data}


def _packed(values: list[dict[str, Any]]) -> dict[str, Any]:
    names = list(dict.fromkeys(name for row in values for name in row))
    rows = [[row.get(name) for name in names] for row in values]
    return {"count": len(rows), "columns": pack(names, rows)}
