"""The evidence behind tolerances of the gate: what recorded runs look like, and how often chance alarms.

    python -m benchmarks.tolerances [recorded_runs]

Prints the tables of docs/methodology.md ("What the gate's tolerances rest on").
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from benchmark_tasks.measuring.steadiness import odd_part
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from expectations.gate.evidence import Evidence, examine

LIMIT = 0.05
ALWAYS = 0.9
SERIES = 2_000
CHANCE = (
    (10, 0.01, 0.0),
    (10, 0.025, 0.0),
    (10, 0.025, 0.5),
    (10, 0.04, 0.5),
    (20, 0.01, 0.0),
    (40, 0.01, 0.0),
)
"""Parts, scatter of a part, and correlation of neighbouring parts."""


def main() -> None:
    """Print what the recorded runs say, then the simulation."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "recorded_runs"
    runs = [(bundle.read_record(path.parent), path.parent) for path in sorted(folder.glob("*/*/run.json"))]
    rows = pd.DataFrame([row(run, examine(run, path)) for run, path in runs if has_energy(run)])
    quantiles = rows.groupby("GPU")["peak"].describe(percentiles=[0.5, 0.9, 0.95])
    print("highest power reading of a window over the power limit, read every 100 ms (instant power)")
    print(quantiles[["count", "50%", "90%", "95%", "max"]].round(3).to_string())
    capped = rows[rows["capped"] >= ALWAYS]
    print(f"\nmean power over the power limit, {len(capped)} runs at the cap in 9 of 10 readings: ", end="")
    print(f"{capped['mean'].min():.2f} to {capped['mean'].max():.2f}")
    contradictions = rows["contradiction"]
    print(f"record against files, largest difference of a run: at most {contradictions.max():.1g}")
    tokens = rows["tokens"]
    print(f"tokens of the window over those of its requests: {tokens.min():.3f} to {tokens.max():.3f}")
    print(f"\nruns with odd parts: {int((rows['shift'] > 0).sum())} of {len(rows)}")
    print(rows[rows["shift"] > 0][["run", "GPU", "shift", "parts"]].to_string(index=False))
    print(f"\nwindows of chance alone that are said to have odd parts, of {SERIES}")
    for parts, scatter, correlation in CHANCE:
        share = false_alarms(parts, scatter, correlation)
        print(f"{parts} parts, scatter {scatter:.1%}, correlation {correlation}: {share:.2%}")


def has_energy(run: Run) -> bool:
    """Whether it is a good run: settled, with energy."""
    return run.window_steady is not None and run.window_steady.energy is not None


def row(run: Run, evidence: Evidence) -> dict[str, object]:
    """What the tolerances look at."""
    window, limit = run.window_steady, run.comparability.power_limit_watts or np.nan
    assert window is not None and window.energy is not None
    watts = window.energy.counter_joules / window.energy.counter_seconds / run.configuration.num_gpus
    return {
        "run": run.run_id,
        "GPU": run.configuration.gpu_model,
        "peak": (run.device.power_max_watts_per_gpu or np.nan) / limit,
        "mean": watts / limit,
        "capped": evidence.power_cap_share,
        "contradiction": evidence.contradiction_share,
        "tokens": (window.output_tokens or np.nan) / (evidence.window_tokens or np.nan),
        "shift": evidence.odd_parts_shift,
        "parts": evidence.odd_parts,
    }


def false_alarms(parts: int, scatter: float, correlation: float) -> float:
    """Share of series of normally distributed, perhaps correlated values that have odd parts."""
    random = np.random.default_rng(1)
    noise = random.normal(size=(SERIES, parts + 20))
    series = lfilter([np.sqrt(1 - correlation**2)], [1, -correlation], noise)[:, 20:]
    return float(np.mean([odd_part(1 + scatter * values, LIMIT) is not None for values in series]))


if __name__ == "__main__":
    main()
