"""Measured energy per output token of each model, in a file that the package EcoLogits reads, with its rows.

EcoLogits keeps its models in one JSON file (`ModelRepository.from_json`): provider, name, architecture,
sources. Its energy is a regression over active parameters and batch size. This file has the models in that
form, and beside each what was measured of it: one entry per row of the leaderboard. There is no fit, mean
over rows or default: who needs one coefficient chooses a row whose GPU, batch size and precision are those
of the deployment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_tasks.disk import create, disk_full_is_an_error
from benchmark_tasks.errors import PublicationError
from benchmark_tasks.vocabulary import DataSource
from expectations.publications import MART_SCHEMA, Publication, attached
from expectations.sql import Row, rows_of_query

SCHEMA_VERSION = 1
PROVIDER = "huggingface_hub"
JOULES_PER_KWH = 3_600_000

_QUERY = """
select *
from leaderboard
where
    data_source = $source
    and output_unit = 'token'
    and is_current_revision
    and energy_per_output_joules is not null
    and total_params_billions is not null
    and activated_params_billions is not null
order by model_id, energy_per_output_joules, leaderboard_id
"""
_COLUMNS = {
    "leaderboard_id": "The row of the leaderboard; `jouleboard explain` shows its runs.",
    "task": "What was asked.",
    "gpu_model": "GPU model.",
    "num_gpus": "GPUs together.",
    "batch_size": "Most requests at the same time (max_num_seqs).",
    "weight_precision": "Number format of the weights.",
    "runtime": "Serving software; null in published rows, which do not state it.",
    "runtime_version": "Its version.",
    "request_set_id": "The requests.",
    "weights": "Whether the weights are trained ones or stand-ins.",
    "model_revision": "The model's commit on the hub.",
    "measurements": "Runs that the row rests on.",
    "energy_per_output_joules": "GPU energy per output token, joules, over all GPUs.",
    "energy_per_output_low_joules": "Lower end of its 95 % interval, joules; null without three repeats.",
    "energy_per_output_high_joules": "Upper end, joules.",
    "energy_per_response_joules": "GPU energy per response, joules.",
    "output_tokens_per_response": "Mean output tokens per response.",
    "mean_running_requests": "Mean requests at the same time.",
    "median_itl_ms": "Median inter-token latency, milliseconds.",
    "median_ttft_ms": "Median time to first token, milliseconds.",
}
"""What an entry has from its row: the same names, and what they mean."""

_DERIVED = {
    "energy_per_output_kwh": "energy_per_output_joules / 3,600,000: EcoLogits counts in kWh.",
}


@dataclass(frozen=True)
class Written:
    """What was written."""

    models: int
    rows: int


def export_ecologits(publication: Publication, path: Path, source: DataSource) -> Written:
    """Write the coefficients of one source into a new file.

    Raises:
        PublicationError: no row has energy per token, the file is there already, or it cannot be written.
        DiskFull.
    """
    with attached(published=publication.database) as connection:
        connection.execute(f"use published.{MART_SCHEMA}")
        found = rows_of_query(connection, _QUERY, {"source": source.value})
    # Older publications have no such column.
    rows = [row for row in found if not row.get("acceptance_is_prescribed")]
    if not rows:
        raise PublicationError(f"no row of {source} has energy per output token; nothing was written")
    by_model: dict[str, list[Row]] = {}
    for row in rows:
        by_model.setdefault(row["model_id"], []).append(row)
    content = {
        "schema_version": SCHEMA_VERSION,
        "description": "Measured GPU energy per output token of Jouleboard's leaderboard. Nothing is fitted"
        " or estimated; GPUs only: no CPU, idle time, cooling or production of hardware.",
        "publication": publication.number,
        "published_at": publication.manifest["published_at"],
        "data_source": source.value,
        "fields": _COLUMNS | _DERIVED,
        "aliases": [],
        "models": [_model(model_id, by_model[model_id]) for model_id in sorted(by_model)],
    }
    try:
        with disk_full_is_an_error(path.parent):
            is_new = create(path, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise PublicationError(f"{path}: cannot be written: {error.strerror or error}") from error
    if not is_new:
        raise PublicationError(f"{path}: is there already; name a new file")
    return Written(len(by_model), len(rows))


def _model(model_id: str, rows: list[Row]) -> dict[str, Any]:
    """A model as EcoLogits has it, with `measured`, which EcoLogits ignores."""
    total, active = rows[0]["total_params_billions"], rows[0]["activated_params_billions"]
    is_dense = total == active
    return {
        "type": "model",
        "provider": PROVIDER,
        "name": model_id,
        "architecture": {
            "type": "dense" if is_dense else "moe",
            "parameters": total if is_dense else {"total": total, "active": active},
        },
        "warnings": None,
        "sources": [f"https://huggingface.co/{model_id}"],
        "deployment": {"tps": None, "ttft": None},
        "measured": [_measured(row) for row in rows],
    }


def _measured(row: Mapping[str, Any]) -> dict[str, Any]:
    energy = row["energy_per_output_joules"]
    return {name: row[name] for name in _COLUMNS} | {"energy_per_output_kwh": energy / JOULES_PER_KWH}
