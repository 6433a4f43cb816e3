"""Reads the landing zone for the gate: runs, their evidence, and bundles that cannot be read.

What is in a bundle is read once and kept (`kept.py`). Later only its folder is looked at: a file that is
written, comes, goes or changes its permissions leaves a trace there, and the bundle is read again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmark_tasks import vocabulary
from benchmark_tasks.client import load_processes
from benchmark_tasks.disk import sha256
from benchmark_tasks.errors import BundleError
from benchmark_tasks.language import backlog
from benchmark_tasks.results import bundle
from benchmark_tasks.results.cold import COLD, own_folder
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import BrokenBundle, Store
from benchmark_tasks.results.summary import COLUMNS, run_row
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import Registry
from expectations.gate import recomputed, record_facts
from expectations.gate.evidence import SCHEMA as EVIDENCE
from expectations.gate.evidence import Evidence, Examined, not_evaluated
from expectations.gate.kept import KEY, Kept, code_beside, code_version, require_fits, schema_of, state_of
from expectations.gate.quarantine import Landing, Repeat
from expectations.gate.record_facts import RecordFacts, facts_of

_SHA256_DIGITS = 64
RECORDS = "records"
SCHEMA = pa.schema([*COLUMNS, *schema_of(RecordFacts), ("folder", pa.string()), ("checksums", pa.string())])
"""Of the records, one row per readable run: its flat row, what else the gate asks of its record, where its
bundle lies now, and the SHA-256 of its checksums (or why they cannot be read)."""

STATE = "state"
"""Changes with the files of a run's bundle and with the code that reads them; NULL: it cannot be said."""

_WITH_STATE = SCHEMA.append(pa.field(STATE, pa.string()))


@dataclass(frozen=True)
class Intake:
    """Readable runs (each id once), their evidence, and bundles set aside unread.

    records: as `SCHEMA`, and `STATE`. evidence: as `evidence.SCHEMA`. One row per run, in the order of ids.
    root: the folder of the landing zone. keys: whose signatures are trusted.
    """

    records: pa.Table
    evidence: pa.Table
    broken: tuple[BrokenBundle, ...]
    root: Path
    keys: Registry = field(default_factory=Registry)

    @classmethod
    def of(cls, runs: Iterable[tuple[Run, Path]], evidence: Mapping[str, Evidence]) -> Intake:
        """Runs that are not landed, with their evidence by run id."""
        rows = [_row(run, path, "") for run, path in sorted(runs, key=lambda entry: entry[0].run_id)]
        facts = [asdict(evidence[row["run_id"]]) for row in rows]
        tables = (pa.Table.from_pylist(rows, _WITH_STATE), pa.Table.from_pylist(facts, EVIDENCE))
        return cls(*tables, (), Path())

    @property
    def count(self) -> int:
        """Readable runs."""
        return int(self.records.num_rows)

    @property
    def table(self) -> pa.Table:
        """One flat row per readable run; the suites and dbt read it."""
        return self.records.select(COLUMNS.names)

    @property
    def bundles(self) -> Iterator[tuple[str, Path, str | None]]:
        """Run id, where its bundle lies now, and the SHA-256 of its checksums if they can be read."""
        for run_id, folder, sums in _rows(self.records, "run_id", "folder", "checksums"):
            yield run_id, Path(folder), sums if len(sums) == _SHA256_DIGITS else None

    @property
    def labels(self) -> dict[str, str]:
        """What each run measured, for people."""
        return dict(_rows(self.records, "run_id", "label"))

    @cached_property
    def signers(self) -> dict[str, str | None]:
        """The key that signed, by run id; `None`: it is unsigned, or not whole."""
        return dict(_rows(self.evidence, "run_id", "signed_by"))

    @cached_property
    def contributors(self) -> dict[str, str]:
        """The contributor of each run that is not ours, by run id."""
        names = {key: self.keys.contributor_of(key) for key in set(self.signers.values())}
        found = {run_id: names[key] for run_id, key in self.signers.items()}
        return {run_id: name for run_id, name in found.items() if name is not None}

    @cached_property
    def landing(self) -> Landing:
        """What a verdict is given on."""
        rows, whose = _rows(self.records, "run_id", "identity", "started_at"), self.contributors
        runs = tuple(Repeat(run_id, what, at, whose.get(run_id)) for run_id, what, at in rows)
        return Landing(runs, self.broken)

    def beside(self, runs: Iterable[tuple[Run, Path]], evidence: Mapping[str, Evidence]) -> Intake:
        """With more runs, which have not landed."""
        more = Intake.of(runs, evidence)
        records, facts = (
            pa.concat_tables([own, others]).sort_by("run_id")
            for own, others in ((self.records, more.records), (self.evidence, more.evidence))
        )
        return replace(self, records=records, evidence=facts)

    @property
    def digest(self) -> str:
        """Changes when a bundle lands, goes, breaks or is touched, or a key is trusted or revoked.

        It does not when a bundle or the whole zone is moved.
        """
        facts = _rows(self.evidence, "run_id", "problem", "content_digest")
        parts = [" ".join(map(str, row)) for row in facts]
        parts += [" ".join(row) for row in _rows(self.records, "folder", "checksums")]
        parts += [f"{broken.path} {broken.reason}" for broken in self.broken]
        places = [part.replace(f"{self.root}/{COLD}/", "").replace(f"{self.root}/", "") for part in parts]
        return hashlib.sha256("\n".join([self.keys.digest, *sorted(places)]).encode()).hexdigest()


def read(settings: Settings) -> Intake:
    """List the landing zone and examine every bundle that was not examined before.

    Raises:
        LandingZoneUnreachable: the remote or the cold storage does not answer, or nothing can be read.
        DiskFull: what was read could not be kept.
    """
    store, version = Store.of(settings), _version()
    with ThreadPoolExecutor(1) as pool:  # tables are read while folders are looked at
        known = pool.submit(_known, settings.warehouse)
        folders, broken = store.folders()
        states = [state_of(folder) for folder in folders]
        records, examined = known.result()
    often = _often(folders)
    for folder, state in zip(folders, states, strict=True):
        key = None if state is None else version + state
        try:
            run = None if key is not None and key in records else bundle.read_record(folder)
            if folder.name in often and folder != store.folder_of(run or bundle.read_record(folder)):
                why = f"{folder}: a copy of run {folder.name}; remove this folder"
                broken.append(BrokenBundle(folder, why))
                continue
            row, whole = (None, False) if run is None else _row_to_keep(run, folder)
            examined.ask(folder, state, run)
        except (BundleError, NotADirectoryError) as error:
            broken.append(BrokenBundle(folder, str(error)))
            continue
        if row is not None:
            records.add(key if whole else None, row)
        elif key is not None:
            records.again(key)
    rows, facts = (table.combine_chunks() for table in (records.keep(), examined.keep()))
    whole = pc.binary_join_element_wise(rows[KEY], facts[KEY], "")
    rows, facts = (table.drop_columns([KEY]) for table in (rows, facts))
    pa.default_memory_pool().release_unused()
    rows = rows.append_column(STATE, whole)
    return Intake(rows, facts, tuple(broken), settings.raw, Registry.read(settings))


def _known(warehouse: Path) -> tuple[Kept, Examined]:
    return Kept(warehouse, RECORDS, SCHEMA), Examined(warehouse)


def _often(folders: Iterable[Path]) -> set[str]:
    """Ids of which several bundles can be read: only the one in its place counts."""
    places = defaultdict(list)
    for folder in folders:
        places[folder.name].append(folder)
    return {name for name, copies in places.items() if len(copies) > 1 and sum(map(_can_be_read, copies)) > 1}


def _can_be_read(folder: Path) -> bool:
    try:
        bundle.read_record(folder)
    except (BundleError, NotADirectoryError):
        return False
    return True


def _rows(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in columns), strict=True)


def _row(run: Run, folder: Path, checksums: str) -> dict[str, Any]:
    row = run_row(run, own_folder(folder))
    return {**row, **asdict(facts_of(run)), "folder": str(folder), "checksums": checksums}


def _row_to_keep(run: Run, folder: Path) -> tuple[dict[str, Any], bool]:
    """The row of a record, and whether its bundle's checksums could be read.

    Raises:
        BundleError: no row can be made of it, whatever the reason is: all other bundles still can be read.
    """
    sums, whole = _sums(folder)
    try:
        row = _row(run, folder, sums)
        require_fits(row, SCHEMA)
    except Exception as error:
        raise BundleError(f"{folder / bundle.RUN_FILE}: {not_evaluated(error)}") from error
    return row, whole


def _sums(directory: Path) -> tuple[str, bool]:
    """Digest of a bundle's checksums, or why they cannot be read, which its evidence also says."""
    try:
        with bundle.readable(directory):
            return sha256(directory / bundle.CHECKSUMS_FILE), True
    except (OSError, BundleError) as error:
        return str(error), False


def _version() -> str:
    """Of the code that makes a row of a record."""
    modules = (record_facts, vocabulary, load_processes, backlog)
    packages = (bundle, recomputed)
    own = (Path(__file__), *(Path(str(module.__file__)) for module in modules))
    return code_version(*own, *(path for each in packages for path in code_beside(each)))
