"""The landed runs as the per-run and the cross-run suite read them: one row per run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.vocabulary import EnergySource, RunStatus
from expectations.gate.copies import originals
from expectations.gate.intake import STATE, Intake

_MARKS = ("request_marks", "power_marks")
_NEEDED = (
    "status",
    "architecture",
    "gpu_model",
    "energy_source",
    "request_rate",
    "steady_settled",
    "steady_start_seconds",
    "steady_end_seconds",
    "mlenergy_start_seconds",
    "mlenergy_end_seconds",
)
"""By `_derived`."""


@dataclass(frozen=True)
class LandedRuns:
    """Runs, and what is known of each.

    table: indexed by run id. The columns of the flat row (`results/summary.py`), the fields of `RecordFacts`
        and of `Evidence` but for the marks, `signer_objection` (why its signature is not trusted),
        `contributor` (who measured it; NULL: we), `copy_of` (the earlier run that has the same measurement),
        and what `_derived` adds.
    judged_at: the moment of judging, with a time zone.
    """

    table: pd.DataFrame
    catalog: Catalog
    judged_at: datetime

    def __getitem__(self, column: str) -> pd.Series:
        """A column of the table."""
        return self.table[column]

    def each(self, fact: Callable[..., object], *columns: str) -> pd.Series:
        """A fact of the values of some columns, `None` where missing; each combination is asked for once."""
        known = lru_cache(None)(fact)
        values = (self.table[name].astype(object).where(self.table[name].notna(), None) for name in columns)
        return pd.Series([known(*row) for row in zip(*values, strict=True)], index=self.table.index)

    def only(self, run_ids: Collection[str]) -> LandedRuns:
        """Some of the runs."""
        return replace(self, table=self.table[self.table.index.isin(run_ids)])


def beside_records(landed: Intake) -> pd.DataFrame:
    """What is known of each run beside its own bundle; indexed by run id, which is also a column.

    state: as in the intake. signer_objection, contributor, copy_of: as in `LandedRuns.table`.
    """
    ids = landed.records["run_id"].to_pylist()
    signers, starts = landed.evidence["signed_by"].to_pylist(), landed.records["started_at"].to_pylist()
    objections = [landed.keys.objection(*signed) for signed in zip(signers, starts, strict=True)]
    table = pd.DataFrame(
        {
            "run_id": ids,
            STATE: landed.records[STATE].to_pandas(),
            "content_digest": landed.evidence["content_digest"].to_pandas(),
            "signer_objection": pd.array(objections, dtype="string"),
            "contributor": pd.array([landed.contributors.get(run_id) for run_id in ids], dtype="string"),
        }
    )
    table.index = pd.Index(ids, dtype=object)
    table = table.assign(copy_of=_copy_of(table, landed.evidence))
    return table.drop(columns="content_digest")


def landed_runs(
    landed: Intake,
    catalog: Catalog,
    *,
    now: datetime,
    beside: pd.DataFrame | None = None,
    columns: Collection[str] | None = None,
) -> LandedRuns:
    """The runs that an intake offers, with what their files and the catalog say. There is at least one.

    beside: rows of `beside_records`; only these runs are wanted. columns: only these of the records and the
    evidence, and what `_derived` needs: 100,000 runs with all columns take 250 MiB.
    """
    if beside is None:
        beside = beside_records(landed)
    facts = landed.evidence.drop_columns(["run_id", *_MARKS])
    records = landed.records.drop_columns([STATE])
    found = dict(zip(records.column_names, records.columns, strict=True))
    found |= dict(zip(facts.column_names, facts.columns, strict=True))
    if columns is not None:
        found = {name: found[name] for name in found if name in {"run_id", *_NEEDED, *columns}}
    rows = pa.table(found)
    if len(beside) < rows.num_rows:
        rows = rows.filter(pc.is_in(rows["run_id"], pa.array(beside["run_id"], pa.string())))
    table = rows.to_pandas().set_index("run_id", drop=False)
    table.index = table.index.astype(object)  # pandas makes objects of an Arrow index for every `where`
    table = table.assign(**{name: beside[name] for name in ("signer_objection", "contributor", "copy_of")})
    pa.default_memory_pool().release_unused()
    return LandedRuns(_derived(table, catalog), catalog, now)


def _copy_of(table: pd.DataFrame, evidence: pa.Table) -> pd.Series:
    """The earlier run, if a run is a copy of it; otherwise NULL.

    What we measured is never the copy of what a contributor did.
    """
    order = np.argsort(table["contributor"].notna().to_numpy(), kind="stable")
    ours_first = table[["run_id", "content_digest"]].iloc[order]
    known = ours_first[ours_first["content_digest"].notna()].drop_duplicates("content_digest")
    same_record = table["content_digest"].map(known.set_index("content_digest")["run_id"])
    found = same_record.where(same_record != table["run_id"]).astype("string")
    for marks in _MARKS:
        copied = originals(ours_first.index.to_list(), evidence[marks].take(order))
        found = found.fillna(table["run_id"].map(copied).astype("string"))
    return found


def _derived(table: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """Adds the columns that several checks read.

    completed, settled: whether the run completed; whether its steady window also settled.
    has_energy: whether it had an energy counter. on_gpu: whether it ran on a GPU.
    language: whether it generated text; otherwise images or videos.
    is_open: whether requests arrived by themselves; `settled_closed`: settled, and they did not.
    steady_seconds, mlenergy_seconds: lengths of its two windows.
    tdp_watts, memory_gib, max_sm_clock_mhz, max_memory_clock_mhz: of its GPU model, from the catalog.
    """
    gpus = {gpu.gpu_model: gpu for gpu in catalog.gpus.values()}
    completed = table["status"] == RunStatus.COMPLETED
    settled, is_open = completed & table["steady_settled"].eq(True), table["request_rate"].notna()
    return table.assign(
        completed=completed,
        settled=settled,
        is_open=is_open,
        settled_closed=settled & ~is_open,
        has_energy=table["energy_source"] != EnergySource.NONE,
        on_gpu=table["gpu_model"] != NO_GPU,
        language=table["architecture"] != "diffusion",
        steady_seconds=table["steady_end_seconds"] - table["steady_start_seconds"],
        mlenergy_seconds=table["mlenergy_end_seconds"] - table["mlenergy_start_seconds"],
        tdp_watts=table["gpu_model"].map({name: gpu.tdp_watts for name, gpu in gpus.items()}),
        max_sm_clock_mhz=table["gpu_model"].map({name: gpu.max_sm_clock_mhz for name, gpu in gpus.items()}),
        max_memory_clock_mhz=table["gpu_model"].map(
            {name: gpu.max_memory_clock_mhz for name, gpu in gpus.items()}
        ),
        memory_gib=table["gpu_model"].map({name: gpu.memory_gib for name, gpu in gpus.items()}),
    )
