"""What is wrong with bundles that come from somewhere else: by the gate's own checks, before they land."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import BundleError, one_line
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.tables import ANSWERS, REQUESTS, TIMELINES
from expectations.gate.auditor import Auditor
from expectations.gate.evidence import Evidence, examine
from expectations.gate.intake import Intake
from expectations.suites.checks import Level, Severity
from expectations.suites.landed_runs import landed_runs
from expectations.suites.run import run_checks
from expectations.suites.run_check import columns

_MOST_VALUES, _MOST_BYTES, _BATCH_BYTES, _BATCH_ROWS = 100_000_000, 1 << 30, 64 << 20, 1 << 16
"""Of a table: the largest recorded one has 0.3 million values. Few bytes can say very many equal values."""

_TABLES = {
    bundle.REQUESTS_FILE: REQUESTS,
    bundle.TIMELINES_FILE: TIMELINES,
    bundle.ANSWERS_FILE: ANSWERS,
}
_ADDED_LATER = frozenset({"under_way", "due_seconds", "right_answer", "verdict"})
"""Columns that older bundles lack."""

Bundle = tuple[Run, Path]


def readable(folders: Iterable[Path]) -> tuple[list[Bundle], list[str]]:
    """The bundles that are whole, and a line for each that is not."""
    good: list[Bundle] = []
    faults: list[str] = []
    for folder in folders:
        try:
            for name, schema in _TABLES.items():
                if (folder / name).is_file():
                    _require_columns(folder / name, schema)
                    _require_bounded(folder / name)
            good.append((bundle.verify(folder), folder))
        except BundleError as error:
            faults.append(f"bundle {folder.name}: {_without(str(error), folder)}")
    twice = {run_id for run_id, count in Counter(run.run_id for run, _ in good).items() if count > 1}
    faults += [f"bundle {run_id}: is here more than once" for run_id in sorted(twice)]
    return good, faults


def refusals(
    offered: Iterable[Bundle], landed: Intake, catalog: Catalog, *, leave_out: Collection[str] = ()
) -> Iterator[str]:
    """A line for each fault that the gate would set a bundle aside for, if it landed beside what is there.

    offered: each in a folder `<task>/<month>/<run_id>`. leave_out: names of checks that are not asked.
    """
    offered = list(offered)
    if not offered:
        return
    evidence: dict[str, Evidence] = {}
    for run, folder in offered:
        try:
            evidence[run.run_id] = examine(run, folder)
        except Exception as error:  # noqa: BLE001  what no measurement holds may break whoever reads it
            why = f"{type(error).__name__}: {one_line(error)}"
            yield f"bundle {run.run_id}: not what a measurement writes ({why})"
    offered = [(run, folder) for run, folder in offered if run.run_id in evidence]
    if not offered:
        return
    together = landed.beside(offered, evidence)
    checks = tuple(
        check for check in run_checks() if check.severity is Severity.CRITICAL and check.name not in leave_out
    )
    checked = columns(checks, landed_runs(together, catalog, now=datetime.now(UTC)))
    own = checked.values[checked.values["run_id"].isin(list(evidence))].reset_index(drop=True)
    audit = Auditor().audit(Level.RUN, "runs", own, checks, key=["run_id"], observed=checked.observed)
    for finding in sorted(audit.findings, key=lambda finding: finding.key):
        yield f"bundle {finding.key}: {finding}"


def _require_columns(path: Path, schema: pa.Schema) -> None:
    """Refuse a table with other columns or types than a measurement writes.

    Raises:
        BundleError: it has some, or is not Parquet.
    """
    try:
        found = {field.name: field.type for field in pq.read_schema(path)}
    except (pa.ArrowException, OSError) as error:
        raise BundleError(f"{path}: not readable as Parquet: {str(error).splitlines()[0]}") from error
    wanted = {field.name: field.type for field in schema}
    odd = [name for name in found if found[name] != wanted.get(name)]
    odd += [name for name in wanted if name not in found and name not in _ADDED_LATER]
    if odd:
        raise BundleError(f"{path}: column {odd[0]!r:.80} is not as a measurement writes it")


def _require_bounded(path: Path) -> None:
    """Read a table piece by piece, so that one that would fill the memory is refused before it does.

    Raises:
        BundleError: it has too many values or bytes, or is not Parquet.
    """
    try:
        with pq.ParquetFile(path) as file:
            parts = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            chunks = [part.column(i) for part in parts for i in range(part.num_columns)]
            largest = max((chunk.total_uncompressed_size for chunk in chunks), default=1)
            left = _MOST_BYTES
            too_large = (
                sum(chunk.num_values for chunk in chunks) > _MOST_VALUES
                or file.metadata.num_rows > _MOST_VALUES
                or sum(chunk.total_uncompressed_size for chunk in chunks) > left
            )
            rows = min(_BATCH_ROWS, max(1, _BATCH_BYTES // max(largest, 1)))
            for batch in () if too_large else file.iter_batches(batch_size=rows):
                left -= batch.nbytes
                too_large = left < 0
                if too_large:
                    break
    except (pa.ArrowException, OSError) as error:
        raise BundleError(f"{path}: not readable as Parquet: {str(error).splitlines()[0]}") from error
    if too_large:
        raise BundleError(f"{path}: a table of more values than any measurement has")


def _without(message: str, folder: Path) -> str:
    """A message without the folder in which the bundle lies for a moment."""
    return message.replace(f"{folder}/", "").replace(str(folder), folder.name)
