"""The command `python -m benchmarks.campaign`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import benchmarks.campaign
from benchmark_tasks.errors import JouleboardError
from benchmarks.campaign import text
from benchmarks.campaign.comparisons import between_gpus, between_hosts, comparisons
from benchmarks.campaign.prices import prices
from benchmarks.campaign.rows import rows_of
from benchmarks.campaign.runs import runs_of


def main() -> None:
    """Print the tables of the campaigns in some folders."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.campaign",
        description=benchmarks.campaign.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--json", action="store_true", help="one object with one list per table")
    options = parser.parse_args()
    try:
        runs = list(chain.from_iterable(map(runs_of, options.folder)))
    except JouleboardError as error:
        sys.exit(f"error: {error}")
    rows = rows_of(runs)
    tables: dict[str, list[Any]] = {
        "rows": rows,
        "comparisons": comparisons(rows),
        "prices": prices(runs),
        "between_gpus": between_gpus(rows),
        "between_hosts": between_hosts(rows),
    }
    if options.json:
        print(json.dumps({name: [asdict(row) for row in table] for name, table in tables.items()}))
        return
    text.print_runs(rows)
    text.print_gpu_seconds(rows)
    text.print_comparisons(tables["comparisons"])
    text.print_prices(tables["prices"])
    text.print_spreads("GPU against GPU of one host", tables["between_gpus"])
    text.print_spreads("Host against host", tables["between_hosts"])


if __name__ == "__main__":
    main()
