"""Runs in which the per-run suite found nothing: a later refresh does not check them again.

What is kept is the state of each such run: of the files of its bundle, and of all else that a check reads
(code, packages, catalog, keys). A run is checked if this has changed, if anything was found in it, or if it
is a copy of another run. Time does not count: a run that was not in the future will not be in the future.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from importlib import import_module, metadata
from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.runtimes import kinds
from expectations.candidate.fingerprint import ROOT, software
from expectations.gate.auditor import Audit, Auditor
from expectations.gate.intake import STATE, Intake
from expectations.gate.kept import FOLDER, code_version, read_newest, write_next
from expectations.suites.checks import Level
from expectations.suites.landed_runs import landed_runs
from expectations.suites.run import run_checks
from expectations.suites.run_check import audit_runs

PASSED = "passed"
_PACKAGES = ("numpy", "pyarrow", "pydantic")
"""With which a check computes, beside those that build a publication."""

_SCHEMA = pa.schema([(STATE, pa.string())])


def audit_each_run(
    auditor: Auditor,
    landed: Intake,
    catalog: Catalog,
    beside: pd.DataFrame,
    *,
    now: datetime,
    warehouse: Path,
    keep: bool = True,
) -> Audit:
    """Run the per-run suite on the runs that have not passed it as they are.

    beside: of every landed run, as `landed_runs.beside_records`. keep: note which runs passed.

    Returns the results of all runs: of those that were checked now, and of those that passed before.

    Raises:
        DiskFull: which runs passed could not be kept.
    """
    home = warehouse / FOLDER / PASSED
    version = _version(landed, catalog)
    states = (version + beside[STATE]).astype(object)
    known = _read(home)
    passed = states.isin(known) & beside["copy_of"].isna()
    if passed.all():
        passed.iloc[0] = False  # the suite is always run
    runs = landed_runs(landed, catalog, now=now, beside=beside[~passed])
    audit = audit_runs(auditor, Level.RUN, run_checks(), runs)
    found = {finding.key for finding in audit.findings}
    if keep and "" not in found:  # where a check could not be run, no run passes
        passing = states[states.notna() & ~beside.index.isin(found) & beside["copy_of"].isna()]
        _keep(home, known, passing)
    return Audit(tuple(replace(result, rows_checked=len(beside)) for result in audit.results), audit.labels)


def _read(home: Path) -> set[str]:
    table = read_newest(home, PASSED, _SCHEMA)
    return set() if table is None else set(table[STATE].to_pylist())


def _keep(home: Path, known: set[str], passing: Iterable[str]) -> None:
    states = sorted(passing)
    if known == set(states):
        return
    write_next(home, PASSED, pa.table({STATE: pa.array(states, pa.string())}, schema=_SCHEMA))


def _version(landed: Intake, catalog: Catalog) -> str:
    """Of everything else that a check reads."""
    packages = [(name, metadata.version(name)) for name in _PACKAGES]
    parts = (_CODE, _of_runtimes(), repr((software(), packages, sys.version)), catalog.content_hash)
    return hashlib.sha256("\n".join((*parts, landed.keys.digest)).encode()).hexdigest()[:16]


def _of_runtimes() -> str:
    """Of the files of all runtimes, also of those that others added."""
    modules = (import_module(f"{kinds.__name__}.{name}") for name in kinds.names())
    return code_version(*(Path(str(module.__file__)) for module in modules))


_CODE = code_version(
    *sorted(path for room in ("benchmark_tasks", "expectations") for path in (ROOT / room).rglob("*.py"))
)
"""Taken when this is imported, as the checks are: files may be replaced while a refresh runs."""
