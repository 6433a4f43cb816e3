"""A small leaderboard in ML.ENERGY's layout, made up and self-consistent, for tests of the import.

Numbers follow the published identities exactly, so that a test can spoil one and see it refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MODELS: dict[str, dict[str, Any]] = {
    "Qwen/Qwen3-8B": {
        "nickname": "Qwen 3 8B",
        "weight_precision": "bfloat16",
        "total_params_billions": 8.0,
        "activated_params_billions": 8.0,
        "architecture": "Dense Transformer",
    },
    "openai/gpt-oss-20b": {
        "nickname": "GPT OSS 20B",
        "weight_precision": "mxfp4",
        "total_params_billions": 21.0,
        "activated_params_billions": 4.0,
        "architecture": "MoE",
    },
    "black-forest-labs/FLUX.1-dev": {
        "nickname": "FLUX.1 Dev",
        "weight_precision": "bfloat16",
        "total_params_billions": 12.0,
        "activated_params_billions": 12.0,
    },
}
_BINS = [0.0, 400.0, 600.0, 1000.0]


def language_row(model_id: str, batch_size: int, gpu_model: str = "H100", **changes: Any) -> dict[str, Any]:
    """A row of an LLM task: 500 W, 100 tokens/s per slot, answers of 500 tokens."""
    throughput = 100.0 * batch_size
    power = 500.0
    row = MODELS[model_id] | {
        "model_id": model_id,
        "gpu_model": gpu_model,
        "num_gpus": 1,
        "max_num_seqs": batch_size,
        "tensor_parallel": 1,
        "expert_parallel": 1,
        "data_parallel": 1,
        "avg_batch_size": 0.99 * batch_size,
        "avg_output_len": 500.0,
        "avg_power_watts": power,
        "energy_per_token_joules": power / throughput,
        "energy_per_request_joules": power / throughput * 500.0,
        "output_throughput_tokens_per_sec": throughput,
        "median_itl_ms": 10.0,
        "p90_itl_ms": 12.0,
        "p95_itl_ms": 13.0,
        "p99_itl_ms": 20.0,
    }
    return row | changes


def image_row(model_id: str, batch_size: int, **changes: Any) -> dict[str, Any]:
    """A row of text-to-image: 600 W, 2 s per image."""
    row = MODELS[model_id] | {
        "model_id": model_id,
        "gpu_model": "H100",
        "num_gpus": 1,
        "batch_size": batch_size,
        "ulysses_degree": 1,
        "ring_degree": 1,
        "inference_steps": 28,
        "image_height": 1024,
        "image_width": 1024,
        "avg_power_watts": 600.0,
        "batch_latency_s": 2.0 * batch_size,
        "energy_per_image_joules": 600.0 * 2.0 * batch_size / batch_size,
        "throughput_images_per_sec": batch_size / (2.0 * batch_size),
    }
    return row | changes


def tasks() -> dict[str, list[dict[str, Any]]]:
    """The rows by task; the known replicate of v3.0 is among them."""
    return {
        "gpqa": [
            language_row("Qwen/Qwen3-8B", 8),
            language_row("Qwen/Qwen3-8B", 16),
            language_row("openai/gpt-oss-20b", 96),
            language_row("openai/gpt-oss-20b", 96, p99_itl_ms=21.0),
        ],
        "text-to-image": [image_row("black-forest-labs/FLUX.1-dev", batch) for batch in (1, 2)],
    }


def write_leaderboard(root: Path, by_task: dict[str, list[dict[str, Any]]] | None = None) -> Path:
    """Write index.json, tasks/ and models/ under `root`; a repeated configuration gets twice the requests."""
    by_task = tasks() if by_task is None else by_task
    (root / "tasks").mkdir(parents=True)
    (root / "models").mkdir()
    models = {row["model_id"] for rows in by_task.values() for row in rows}
    _write(
        root / "index.json",
        {
            "architectures": {
                kind: named
                for kind, named in (
                    ("diffusion", sorted(t for t in by_task if t.startswith("text-to"))),
                    ("llm", sorted(t for t in by_task if not t.startswith("text-to"))),
                )
                if named
            },
            "last_updated": "2026-02-16",
            "models": {model_id: MODELS[model_id] for model_id in sorted(models)},
            "tasks": sorted(by_task),
        },
    )
    for task, rows in by_task.items():
        extra = {"architecture": "diffusion"} if task.startswith("text-to") else {}
        content = {"task": task, "task_display_name": task, "configurations": rows, **extra}
        _write(root / "tasks" / f"{task}.json", content)
        for model_id in {row["model_id"] for row in rows}:
            mine = [row for row in rows if row["model_id"] == model_id]
            content = {"model_id": model_id, "task": task, "configurations": _model_rows(mine)}
            _write(root / "models" / f"{model_id.replace('/', '__')}__{task}.json", content)
    return root


def _model_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    degrees = {"tensor_parallel", "expert_parallel", "data_parallel", "ulysses_degree", "ring_degree"}
    model_level = {"model_id", *next(iter(MODELS.values()))}
    repeated: dict[int, int] = {}
    written = []
    for row in rows:
        entry = {k: v for k, v in row.items() if k not in degrees | model_level}
        entry["parallelization"] = {k: v for k, v in row.items() if k in degrees}
        if "max_num_seqs" in row:
            times = repeated[row["max_num_seqs"]] = repeated.get(row["max_num_seqs"], 0) + 1
            entry["output_length_distribution"] = {"bins": _BINS, "counts": [0, 198 * times, 0]}
        written.append(entry)
    return written


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
