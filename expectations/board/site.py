"""The page of a publication: one self-contained file that asks the network for nothing."""

from __future__ import annotations

import html
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.vocabulary import Task
from expectations.publications import DATABASE_FILE, SITE_FOLDER

PAGE = Path(__file__).parent / "page"
SIGNIFICANT_DIGITS = 6
QUARANTINE_SHOWN = 200

COLUMNS = (
    "task",
    "data_source",
    "nickname",
    "organisation",
    "model_id",
    "model_revision",
    "weight_precision",
    "gpu_model",
    "num_gpus",
    "batch_size",
    "runtime",
    "runtime_version",
    "length_control",
    "request_set_id",
    "power_limit_watts",
    "weights",
    "energy_source",
    "output_unit",
    "repeats",
    "energy_gpus",
    "energy_servers",
    "energy_rank",
    "energy_per_output_joules",
    "energy_per_output_low_joules",
    "energy_per_output_high_joules",
    "energy_within_run_interval",
    "energy_per_response_joules",
    "throughput_per_second",
    "throughput_per_watt",
    "mean_power_watts",
    "median_itl_ms",
    "p99_itl_ms",
    "median_ttft_ms",
    "batch_latency_seconds",
)
"""What the page takes from `leaderboard`; a column that the mart lacks is shown as missing."""


def write(folder: Path, manifest: Mapping[str, Any], catalog: Catalog) -> None:
    """Write `site/index.html` from the marts that were copied into `folder`."""
    import duckdb

    connection = duckdb.connect(str(folder / DATABASE_FILE), read_only=True)
    try:
        has_docs = (folder / SITE_FOLDER / "dbt_docs.html").exists()
        text = render(connection, manifest, catalog, has_docs=has_docs)
    finally:
        connection.close()
    (folder / SITE_FOLDER / "index.html").write_text(text)


def render(connection: Any, manifest: Mapping[str, Any], catalog: Catalog, *, has_docs: bool) -> str:
    """The page as text. Everything that came from data is escaped."""
    summary, runs = manifest["summary"], manifest["runs"]
    rows = _leaderboard(connection)
    return Template((PAGE / "page.html").read_text()).substitute(
        number=summary["publication_number"],
        published_at=html.escape(str(summary["published_at"]).replace("T", " ").replace("+00:00", " UTC")),
        commit=html.escape((summary["git_commit"] or "unknown")[:12]),
        verdict=html.escape(summary["gate_verdict"]),
        verdict_class="passed" if summary["gate_verdict"] == "passed" else "warning",
        counts=f"{len(rows):,} configurations; {runs['accepted']} of our own runs accepted,"
        f" {runs['quarantined']} in quarantine.",
        note=f"<p>Note: {html.escape(summary['note'])}</p>" if summary["note"] else "",
        docs_link='<a href="dbt_docs.html">Tables and columns</a>' if has_docs else "",
        quarantine=_quarantine(connection),
        history=_history(manifest["history"]),
        downloads=_downloads(manifest["tables"]),
        style=(PAGE / "style.css").read_text(),
        script=(PAGE / "page.js").read_text(),
        meta=_embedded({"tasks": _task_names(catalog)}),
        leaderboard=_embedded({"columns": [*COLUMNS, "is_minimum"], "rows": rows}),
    )


def _leaderboard(connection: Any) -> list[list[Any]]:
    """Rows of the page, best first, each model at its current revision; numbers cut to what can be shown."""
    there = _columns(connection, "leaderboard")
    chosen = ", ".join(name if name in there else f"null as {name}" for name in COLUMNS)
    minimum = "false"
    if {"leaderboard_id", "scope"} <= _columns(connection, "min_energy_configurations"):
        minimum = "leaderboard_id in (select leaderboard_id from marts.min_energy_configurations)"
    current = "where is_current_revision" if "is_current_revision" in there else ""
    result = connection.execute(
        f"select {chosen}, {minimum} as is_minimum from marts.leaderboard {current} order by all"
    )
    return [[_cut(value) for value in row] for row in result.fetchall()]


def _columns(connection: Any, table: str) -> set[str]:
    rows = connection.execute(
        "select column_name from duckdb_columns() where schema_name = 'marts' and table_name = ?", [table]
    ).fetchall()
    return {name for (name,) in rows}


def _cut(value: Any) -> Any:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value


def _task_names(catalog: Catalog) -> list[tuple[str, str]]:
    return [(task.value, catalog.tasks[task].display_name) for task in Task if task in catalog.tasks]


def _quarantine(connection: Any) -> str:
    there = _columns(connection, "quarantine")
    wanted = [
        name
        for name in ("run_id", "model_id", "task", "batch_size", "started_at", "reasons")
        if name in there
    ]
    if not wanted:
        return "<p class='empty'>This publication has no quarantine table.</p>"
    rows = connection.execute(
        f"select distinct {', '.join(wanted)} from marts.quarantine order by all limit {QUARANTINE_SHOWN}"
    ).fetchall()
    if not rows:
        return "<p class='empty'>Empty: every landed run was accepted.</p>"
    return _table([name.replace("_", " ") for name in wanted], rows, long={"reasons"})


def _history(history: Sequence[Mapping[str, Any]]) -> str:
    if not history:
        return "<p class='empty'>This is the first one.</p>"
    rows = [
        (
            entry["publication_number"],
            str(entry["published_at"])[:16].replace("T", " "),
            entry["row_count"],
            entry["run_count"],
            entry["gate_verdict"],
            entry["note"] or "",
        )
        for entry in reversed(history)
    ]
    return _table(["number", "published at (UTC)", "rows", "runs", "gate", "note"], rows)


def _downloads(tables: Mapping[str, Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr><td><a href="../parquet/{html.escape(name)}.parquet">{html.escape(name)}</a></td>'
        f"<td class=number>{table['rows']:,}</td></tr>"
        for name, table in tables.items()
    )
    return (
        "<div class=scroll><table><thead><tr><th>table</th><th class=number>rows</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]], long: Collection[str] = ()) -> str:
    head = "".join(f"<th scope=col>{html.escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{_cells(header, row, long)}</tr>" for row in rows)
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cells(header: Sequence[str], row: Sequence[Any], long: Collection[str]) -> str:
    texts = [html.escape(_text(value)) for value in row]
    kinds = [" class=long" if name in long else "" for name in header]
    return "".join(f"<td{kind}>{text}</td>" for kind, text in zip(kinds, texts, strict=True))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%F %H:%M}"
    return "" if value is None else str(value)


def _embedded(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), default=str, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
