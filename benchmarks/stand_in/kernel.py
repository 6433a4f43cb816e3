"""The top-k/top-p kernel alone: does its time depend on what the logits say?

    python -m benchmarks.stand_in.kernel OUT.json [--rows 8 64 256]

Wants a GPU and vLLM. Each case is timed on fresh copies of the same logits (the kernel writes in place),
which lie in several buffers, so that no cache serves them. Two rounds in opposite orders.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

VOCABULARY = 151_936
TEMPERATURE, TOP_P = 0.8, 0.95
_COPIES = 24


def normal(std: float) -> Callable[[int, int], torch.Tensor]:
    """Logits with that standard deviation, each by itself."""

    def draw(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, device="cuda") * std

    return draw


def dummy(rows: int, columns: int) -> torch.Tensor:
    """What vLLM's dummy weights give: no logit differs from another by more than about 1e-6."""
    return torch.randn(rows, columns, device="cuda") * 2e-6


def zipf(rows: int, columns: int) -> torch.Tensor:
    """Rank r has probability in proportion to 1 / r, in another order in each row, with a little noise."""
    logits = -torch.log(torch.arange(1, columns + 1, device="cuda", dtype=torch.float32))
    order = torch.stack([torch.randperm(columns, device="cuda") for _ in range(rows)])
    return logits[order] + 0.1 * torch.randn(rows, columns, device="cuda")


def trained(rows: int, columns: int) -> torch.Tensor:
    """A few large logits over a broad rest, as a small instruct model has: a nucleus of a few tokens."""
    logits = torch.randn(rows, columns, device="cuda") * 2.2
    peaks = torch.randint(0, columns, (rows, 40), device="cuda")
    heights = 14.0 - torch.arange(40, device="cuda") * 0.35 + torch.randn(rows, 40, device="cuda")
    return logits.scatter(1, peaks, heights)


CASES: dict[str, Callable[[int, int], torch.Tensor]] = {
    "dummy": dummy,
    "normal, std 0.3": normal(0.3),
    "normal, std 1.28": normal(1.28),
    "normal, std 2": normal(2.0),
    "normal, std 3": normal(3.0),
    "normal, std 4.2": normal(4.2),
    "normal, std 5": normal(5.0),
    "normal, std 8": normal(8.0),
    "a trained model's shape": trained,
    "Zipf": zipf,
}


def milliseconds(logits: torch.Tensor, top_p: torch.Tensor, copies: int = _COPIES) -> list[float]:
    """GPU time of each of so many calls."""
    from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p

    fresh = [logits.clone() for _ in range(copies)]
    apply_top_k_top_p(logits.clone(), None, top_p)
    starts, ends = ([torch.cuda.Event(enable_timing=True) for _ in fresh] for _ in range(2))
    torch.cuda.synchronize()
    for copy, start, end in zip(fresh, starts, ends, strict=True):
        start.record()
        apply_top_k_top_p(copy, None, top_p)
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in zip(starts, ends, strict=True)]


def facts_of(logits: torch.Tensor) -> dict[str, float]:
    """Size of the nucleus and top probability, medians over the rows."""
    probabilities = torch.softmax(logits.float(), dim=-1).sort(dim=-1, descending=True).values
    nucleus = (probabilities.cumsum(dim=-1) - probabilities < TOP_P).sum(dim=-1)
    return {
        "nucleus_median": float(nucleus.float().median()),
        "nucleus_maximum": float(nucleus.max()),
        "top_probability_median": float(probabilities[:, 0].median()),
    }


def measured(case: str, rows: int, dtype: torch.dtype) -> dict[str, Any]:
    """One case once."""
    torch.manual_seed(rows)
    logits = (CASES[case](rows, VOCABULARY) / TEMPERATURE).to(dtype)
    times = milliseconds(logits, torch.full((rows,), TOP_P, device="cuda"))
    return {
        "case": case,
        "rows": rows,
        "dtype": str(dtype),
        "median_ms": statistics.median(times),
        "milliseconds": [round(time, 5) for time in times],
        **facts_of(logits[:64]),
    }


def main() -> None:
    """Measure all cases twice, in opposite orders, and write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[8, 64, 256])
    arguments = parser.parse_args()
    results = []
    for rows in arguments.rows:
        for dtype in (torch.bfloat16, torch.float32):
            for order in (list(CASES), list(CASES)[::-1]):
                results += [measured(case, rows, dtype) for case in order]
                arguments.out.write_text(json.dumps({"gpu": _gpu(), "results": results}))
    for one in results:
        print(one["rows"], one["dtype"], one["case"], round(one["median_ms"], 4), one["nucleus_median"])


def _gpu() -> str:
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=uuid,name,driver_version", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip()


if __name__ == "__main__":
    main()
