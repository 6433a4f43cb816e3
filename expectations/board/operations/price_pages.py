"""What the page of energy prices shows: lists for its script, prices and proofs for its tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.prices.lists import Component
from expectations.prices.published import PriceList, price_lists
from expectations.sql import Row, load_sql, rows_of

if TYPE_CHECKING:
    import duckdb

ROOM = Path(__file__).parent
PRICES, PROOFS = ROOM / "price_rows.sql", ROOM / "price_proofs.sql"
CSV = "figures/jouleboard-energy-prices.csv"
SCRIPT, DATA = "prices.js", "price-lists.js"
LOADS = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Shares of the most requests per second at which the page prices a request side by side."""


def prices(folder: Path, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Values of the page `prices.html`; its data, script and CSV are written as files, too."""
    rows = rows_of(connection, PRICES)
    lists = price_lists(rows)
    if lists:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        connection.sql(load_sql(PRICES)).write_csv(str(folder / CSV))
        text = json.dumps([for_script(each) for each in lists], separators=(",", ":"), allow_nan=False)
        (folder / DATA).write_text(f"const priceLists = {text.replace('<', chr(92) + 'u003c')};\n")
        shutil.copyfile(ROOM / SCRIPT, folder / SCRIPT)
    return {
        "lists": [(each, _tables(each, rows)) for each in lists],
        "proofs": rows_of(connection, PROOFS),
        "csv": CSV,
        "loads": LOADS,
    }


def for_script(each: PriceList) -> dict[str, Any]:
    """A list as the script reads it: pairs of joules and seconds, steps as (batch size, joules, seconds)."""
    of = each.prices
    return {
        "id": each.id,
        "name": each.name,
        "proofs": each.keys["proof_loads"],
        "prefill": of.prefill_token,
        "pair": of.prefill_pair,
        "context": of.context_token,
        "steps": [(batch, *pair) for batch, pair in sorted(of.decode_steps.items())],
        "idleWatts": of.idle_watts,
        "shortestPrompt": of.shortest_prompt_tokens,
        "longestPrompt": of.longest_prompt_tokens,
        "longestContext": of.longest_context_tokens,
        "error": of.held_out_error,
        "bounds": of.bounds
        and {
            "prompt": of.bounds.prompt,
            "pair": of.bounds.pair,
            "decode": sorted(of.bounds.decode.items()),
            "context": of.bounds.context,
            "idle": of.bounds.idle,
        },
    }


def _tables(each: PriceList, rows: list[Row]) -> dict[str, list[Row]]:
    """The prices of a list that mean something by themselves, by what they price."""
    return {
        component.value: [
            row for row in rows if row["price_list_id"] == each.id and row["component"] == component
        ]
        for component in (Component.PREFILL_TOKEN, Component.DECODE_TOKEN, Component.IDLE_SECOND)
    }
