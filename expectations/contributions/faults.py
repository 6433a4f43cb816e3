"""What is wrong with bundles that come from somewhere else: by the gate's own checks, before they land."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import BundleError, one_line
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from expectations.gate.auditor import Auditor
from expectations.gate.bundle_tables import SCHEMAS, read_table
from expectations.gate.evidence import Evidence, examine
from expectations.gate.intake import Intake
from expectations.suites.checks import Level, Severity
from expectations.suites.landed_runs import landed_runs
from expectations.suites.run import run_checks
from expectations.suites.run_check import columns

Bundle = tuple[Run, Path]


def readable(folders: Iterable[Path]) -> tuple[list[Bundle], list[str]]:
    """The bundles that are whole, and a line for each that is not."""
    good: list[Bundle] = []
    faults: list[str] = []
    for folder in folders:
        try:
            for name in SCHEMAS:
                if (folder / name).is_file():
                    read_table(folder / name)
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


def _without(message: str, folder: Path) -> str:
    """A message without the folder in which the bundle lies for a moment."""
    return message.replace(f"{folder}/", "").replace(str(folder), folder.name)
