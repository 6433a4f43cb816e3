"""Runs in which the per-run suite found nothing: a later refresh does not check them again.

What is kept is the state of each such run: of the files of its bundle, and of the code that reads and checks
them. A run whose state is another, in which anything was found, or that is a copy of another is checked.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.runtimes.kinds import all_kinds
from expectations.candidate.fingerprint import ROOT, software
from expectations.gate.auditor import Audit, Auditor
from expectations.gate.intake import STATE, Intake
from expectations.gate.kept import FOLDER, code_version, newest_tables, next_tables
from expectations.suites.checks import Level
from expectations.suites.landed_runs import landed_runs
from expectations.suites.run import run_checks
from expectations.suites.run_check import audit_runs

PASSED = "passed"
_SCHEMA = pa.schema([(STATE, pa.string())])


def audit_each_run(
    auditor: Auditor,
    landed: Intake,
    catalog: Catalog,
    beside: pd.DataFrame,
    *,
    now: datetime,
    warehouse: Path,
) -> Audit:
    """Run the per-run suite on the runs that have not passed it as they are.

    beside: of every landed run, as `landed_runs.beside_records`. The results are those of all runs.

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
    if "" not in found:  # a check that could not be run lets nobody pass
        passing = states[states.notna() & ~beside.index.isin(found) & beside["copy_of"].isna()]
        _keep(home, known, passing)
    return Audit(tuple(replace(result, rows_checked=len(beside)) for result in audit.results), audit.labels)


def _read(home: Path) -> set[str]:
    tables = newest_tables(home, {PASSED: _SCHEMA})
    return set() if tables is None else set(pq.read_table(tables / f"{PASSED}.parquet")[STATE].to_pylist())


def _keep(home: Path, known: set[str], passing: Iterable[str]) -> None:
    states = sorted(passing)
    if known == set(states):
        return
    with next_tables(home) as folder:
        table = pa.table({STATE: pa.array(states, pa.string())}, schema=_SCHEMA)
        pq.write_table(table, folder / f"{PASSED}.parquet", compression="lz4", use_dictionary=False)


def _version(landed: Intake, catalog: Catalog) -> str:
    """Of all that decides besides a bundle: code, packages, catalog, trusted keys."""
    parts = (_code(), repr(software()), catalog.content_hash, landed.keys.digest)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@lru_cache
def _code() -> str:
    """Of this repository, and of runtimes that others added."""
    own = [path for room in ("benchmark_tasks", "expectations") for path in (ROOT / room).rglob("*.py")]
    added = {sys.modules[type(kind).__module__].__file__ for kind in all_kinds()}
    return code_version(*sorted({*own, *(Path(path) for path in added if path)}))
