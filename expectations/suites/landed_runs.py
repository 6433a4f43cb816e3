"""The landed runs as the per-run and the cross-run suite read them: one row per run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.schema import Run
from benchmark_tasks.vocabulary import EnergySource, RunStatus
from expectations.gate.evidence import Evidence
from expectations.gate.intake import Intake


@dataclass(frozen=True)
class LandedRuns:
    """Runs, and what is known of each.

    table: indexed by run id. The columns of the flat row (`results/summary.py`), the fields of `Evidence`,
        `signer_objection` (why its signature is not trusted), `contributor` (who measured it; NULL: we),
        and what `_derived` adds.
    records: the run itself, by run id.
    judged_at: the moment of judging, with a time zone.
    """

    table: pd.DataFrame
    records: pd.Series
    catalog: Catalog
    judged_at: datetime

    def __getitem__(self, column: str) -> pd.Series:
        """A column of the table."""
        return self.table[column]

    def each(self, fact: Callable[[Run], object]) -> pd.Series:
        """A fact that the flat row leaves out, worked out from each record."""
        return self.records.map(fact)

    def only(self, run_ids: Collection[str]) -> LandedRuns:
        """Some of the runs."""
        kept = self.table.index.isin(run_ids)
        return replace(self, table=self.table[kept], records=self.records[kept])


def landed_runs(landed: Intake, catalog: Catalog, *, now: datetime) -> LandedRuns:
    """The runs that an intake offers, with what their files and the catalog say. There is at least one."""
    table = landed.table.to_pandas().set_index("run_id", drop=False)
    evidence = [vars(landed.evidence[run.run_id]) for run, _ in landed.listing.runs]
    facts = pd.DataFrame(evidence, columns=list(Evidence.__dataclass_fields__)).set_index("run_id")
    records = {run.run_id: run for run, _ in landed.listing.runs}
    in_order = pd.Series([records[run_id] for run_id in table.index], index=table.index, dtype=object)
    objections = [
        landed.keys.objection(landed.evidence[run_id].signed_by, records[run_id].started_at)
        for run_id in table.index
    ]
    contributors = [landed.contributors.get(run_id) for run_id in table.index]
    table = table.join(facts).assign(
        signer_objection=pd.array(objections, dtype="string"),
        contributor=pd.array(contributors, dtype="string"),
    )
    return LandedRuns(_derived(table, catalog), in_order, catalog, now)


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
