"""The inputs of dbt: Parquet files in `<candidate>/inputs`, and a digest that changes when they change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.catalog.tables import write_tables
from benchmark_tasks.disk import disk_full_is_an_error
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.settings import Settings
from expectations.candidate import profiles
from expectations.candidate.fingerprint import code_digest
from expectations.gate import contests, quarantine
from expectations.gate.contests import Contest
from expectations.gate.intake import Intake
from expectations.gate.quarantine import Verdict
from expectations.publications import PARQUET_FOLDER


def _schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema(columns)


VERDICTS = _schema(
    {
        "run_id": pa.string(),
        "accepted": pa.bool_(),
        "reasons": pa.string(),
        "signed_by": pa.string(),
        "contributor": pa.string(),
    }
)
"""One row per landed run, and one per bundle that cannot be read (under its folder's name).

signed_by: name of the key that signed, or its id where the registry has no name for it; NULL: unsigned.
contributor: the same, of what others measured; NULL: ours.
"""

FINDINGS = _schema(
    {
        "run_id": pa.string(),
        "check": pa.string(),
        "severity": pa.string(),
        "observed": pa.string(),
        "reason": pa.string(),
    }
)
"""One row per failed check of a run."""

PUBLICATIONS = _schema(
    {
        "publication_number": pa.int32(),
        "published_at": pa.timestamp("us", tz="UTC"),
        "git_commit": pa.string(),
        "note": pa.string(),
        "row_count": pa.int64(),
        "run_count": pa.int64(),
        "gate_verdict": pa.string(),
    }
)
"""One row per earlier publication."""


PREVIOUS = _schema(
    {
        "publication_number": pa.int32(),
        "leaderboard_id": pa.string(),
        "data_source": pa.string(),
        "configuration_id": pa.string(),
        "nickname": pa.string(),
        "model_id": pa.string(),
        "model_revision": pa.string(),
        "task": pa.string(),
        "gpu_model": pa.string(),
        "num_gpus": pa.int32(),
        "batch_size": pa.int32(),
        "runtime": pa.string(),
        "runtime_version": pa.string(),
        "weights": pa.string(),
        "output_unit": pa.string(),
        "repeats": pa.int32(),
        "energy_per_output_joules": pa.float64(),
        "median_itl_ms": pa.float64(),
        "batch_latency_seconds": pa.float64(),
        "throughput_per_second": pa.float64(),
        "energy_rank": pa.int32(),
    }
)
"""One row per earlier publication and row of its leaderboard; a column that it lacks is NULL."""

COMPARED = 30
"""Earlier publications with which a new one is compared: the newest ones."""

CONTESTS = _schema(
    {
        "leaderboard_id": pa.string(),
        "previous_runtime_version": pa.string(),
        "contested_by": pa.string(),
        "contested_at": pa.timestamp("us", tz="UTC"),
        "contest_note": pa.string(),
    }
)
"""One row per change of energy that a person contests."""

LEADERBOARD = Path(PARQUET_FOLDER) / "leaderboard.parquet"


def digest(settings: Settings, intake: Intake, catalog: Catalog) -> str:
    """Equal digests mean equal publications: runs, decisions of persons, import, catalog, code."""
    imported = mlenergy.current(settings)
    parts = (
        intake.digest,
        repr([sorted(vars(entry).items()) for _, entry in sorted(quarantine.releases(settings).items())]),
        repr([sorted(vars(entry).items()) for _, entry in sorted(contests.contests(settings).items())]),
        imported.name if imported else "nothing imported",
        catalog.content_hash,
        code_digest(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def write(
    directory: Path,
    settings: Settings,
    intake: Intake,
    catalog: Catalog,
    verdicts: Mapping[str, Verdict],
    *,
    history: Sequence[Mapping[str, Any]],
) -> None:
    """Write every input of the dbt project.

    history: one entry per earlier publication.
    """
    with disk_full_is_an_error(directory):
        directory.mkdir(parents=True)
        pq.write_table(intake.table, directory / "runs.parquet")
        _write(directory / "verdicts.parquet", VERDICTS, _verdict_rows(verdicts, intake))
        _write(
            directory / "findings.parquet",
            FINDINGS,
            (row for verdict in _sorted(verdicts) for row in _finding_rows(verdict)),
        )
        _write(directory / "publications.parquet", PUBLICATIONS, map(_publication_row, history))
        numbers = [entry["publication_number"] for entry in history]
        earlier = previous_leaderboards(settings.published, numbers[-COMPARED:])
        pq.write_table(earlier, directory / "previous_leaderboards.parquet")
        contested = [contest for _, contest in sorted(contests.contests(settings).items())]
        _write(directory / "contests.parquet", CONTESTS, map(_contest_row, contested))
        accepted = (entry for entry in intake.bundles if verdicts[entry[0]].accepted)
        profiles.stage(profiles.gather(accepted, settings.warehouse), directory)
        write_tables(catalog, directory)
        mlenergy.write_inputs(settings, directory)


def previous_leaderboards(published: Path, numbers: Iterable[int]) -> pa.Table:
    """The leaderboards of these publications in the columns of `PREVIOUS`.

    A publication without a leaderboard that can be read has no rows: nothing is compared with it.
    """
    tables = [_previous(published / str(number) / LEADERBOARD, number) for number in numbers]
    return pa.concat_tables([PREVIOUS.empty_table(), *(table for table in tables if table is not None)])


def _previous(path: Path, number: int) -> pa.Table | None:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return None
    absent = pa.nulls(table.num_rows)
    columns = [
        (table[field.name] if field.name in table.column_names else absent).cast(field.type)
        for field in PREVIOUS
    ]
    columns[0] = pa.array([number] * table.num_rows, pa.int32())
    return pa.table(columns, schema=PREVIOUS)


def _write(path: Path, schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)


def _sorted(verdicts: Mapping[str, Verdict]) -> list[Verdict]:
    return [verdicts[run_id] for run_id in sorted(verdicts)]


def _verdict_rows(verdicts: Mapping[str, Verdict], intake: Intake) -> Iterator[dict[str, Any]]:
    for verdict in _sorted(verdicts):
        yield {
            "run_id": verdict.run_id,
            "accepted": verdict.accepted,
            "reasons": verdict.reasons or None,
            "signed_by": intake.keys.name_of(intake.signers.get(verdict.run_id)),
            "contributor": intake.contributors.get(verdict.run_id),
        }


def _finding_rows(verdict: Verdict) -> list[dict[str, Any]]:
    """One row per failed check, even when the check has several findings on the run."""
    rows = {finding.check: finding for finding in verdict.findings}
    return [
        {
            "run_id": verdict.run_id,
            "check": finding.check,
            "severity": finding.severity.value,
            "observed": finding.observed or None,
            "reason": finding.reason,
        }
        for finding in rows.values()
    ]


def _contest_row(contest: Contest) -> dict[str, Any]:
    return {
        "leaderboard_id": contest.leaderboard_id,
        "previous_runtime_version": contest.previous_runtime_version,
        "contested_by": contest.who,
        "contested_at": datetime.fromisoformat(contest.at),
        "contest_note": contest.note,
    }


def _publication_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "published_at": datetime.fromisoformat(entry["published_at"])}
