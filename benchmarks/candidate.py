"""A dbt candidate outside a refresh: for the findings, the benchmark and the warehouse's own tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks import catalog
from benchmark_tasks.catalog.tables import write_tables
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.summary import runs_table
from benchmark_tasks.settings import Settings
from expectations.candidate import profiles
from expectations.candidate.build import INPUTS_FOLDER, BuildResult, build
from expectations.candidate.inputs import CONTESTS, FINDINGS, PREVIOUS, PUBLICATIONS, VERDICTS
from expectations.candidate.profiles import Profile


def build_published(source: Path | str, scratch: Path) -> Path:
    """Import published results into an empty home under `scratch` and build the marts.

    Returns the database.
    """
    settings = Settings(home=scratch / "home")
    mlenergy.import_results(str(source), settings)
    return build_candidate(scratch / "candidate", settings).database


def build_candidate(
    candidate: Path,
    settings: Settings,
    *,
    runs: Iterable[Run] = (),
    refused: dict[str, str] | None = None,
    contributed: dict[str, str] | None = None,
    publications: Iterable[dict[str, Any]] = (),
    previous: Iterable[dict[str, Any]] = (),
    profiled: Iterable[Profile] = (),
    unit_tests: bool = False,
) -> BuildResult:
    """Build the marts from runs, the current import and the catalog.

    refused: reasons by run id; every other run is accepted. contributed: contributors by run id; every
    other run is ours. publications: earlier ones.
    previous: rows of their leaderboards. profiled: what the runs' bundles draw.
    unit_tests: also dbt's unit tests, which a refresh leaves out.
    """
    directory = candidate / INPUTS_FOLDER
    directory.mkdir(parents=True)
    runs, refused = list(runs), refused or {}
    pq.write_table(runs_table((run, Path(run.run_id)) for run in runs), directory / "runs.parquet")
    contributors = contributed or {}
    verdicts = [
        {
            "run_id": run.run_id,
            "accepted": run.run_id not in refused,
            "reasons": refused.get(run.run_id),
            "signed_by": contributors.get(run.run_id),
            "contributor": contributors.get(run.run_id),
        }
        for run in runs
    ]
    findings = [
        {"run_id": run_id, "check": "sample", "severity": "critical", "observed": None, "reason": reason}
        for run_id, reason in refused.items()
    ]
    for name, schema, rows in (
        ("verdicts", VERDICTS, verdicts),
        ("findings", FINDINGS, findings),
        ("publications", PUBLICATIONS, list(publications)),
        ("previous_leaderboards", PREVIOUS, list(previous)),
        ("contests", CONTESTS, []),
    ):
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), directory / f"{name}.parquet")
    profiles.write(profiled, directory)
    write_tables(catalog.load(overlay=settings.catalog), directory)
    mlenergy.write_inputs(settings, directory)
    return build(candidate, unit_tests=unit_tests)
