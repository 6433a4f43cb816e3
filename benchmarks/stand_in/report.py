"""Tables of what the factor matrix and the runs of record measured.

    python -m benchmarks.stand_in.report FOLDER... [--against dummy]

A folder of the factor matrix holds lines, one of `recorded_runs/` bundles. Each kind of weights is compared
with another at the same batch size and sampling: of a factor matrix on the same server, of bundles on the
same GPU with the same requests and runtime version. Energy and speed are compared over the tenths of the
windows (Welch's t, 95 %): the interval knows what scatters within windows, not what differs between servers
or GPUs. A median latency has no parts: its windows are listed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmark_tasks.results.schema import Run

Key = tuple[str, str, int, str]
WARM_UP = "warm-up"


@dataclass(frozen=True)
class Difference:
    """Of two means, as a share of the second, with a 95 % half-width."""

    share: float
    half: float

    def __str__(self) -> str:
        return f"{self.share:+.2%} +- {self.half:.2%}"


def difference(ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """Welch's interval of the difference of two means."""
    a, b = stats.sem(ours), stats.sem(theirs)
    spread = a**2 + b**2
    freedom = spread**2 / (a**4 / (len(ours) - 1) + b**4 / (len(theirs) - 1))
    half = stats.t.ppf(0.975, freedom) * np.sqrt(spread)
    mean = float(theirs.mean())
    return Difference(float(ours.mean() - mean) / mean, float(half) / mean)


def lines_of(folder: Path) -> Iterator[dict[str, Any]]:
    """All points below a folder that were measured."""
    for file in sorted(folder.rglob("*.jsonl")):
        for text in file.read_text().splitlines():
            line = json.loads(text)
            if "joules_per_token" in line and line["label"] != WARM_UP:
                yield {**line, "run": file.relative_to(folder.parent).as_posix()}


def measured_in(folder: Path) -> Iterator[dict[str, Any]]:
    """What was measured below a folder, of either form."""
    yield from lines_of(folder)
    yield from windows_of(folder)


def windows_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The settled windows of the language models' bundles below a folder, as lines like those of `lines_of`.

    `run` names what two windows that are compared have in common: model, runtime version, requests
    and GPUs.
    """
    for path in sorted(folder.rglob("run.json")):
        run = Run.model_validate_json(path.read_text())
        window = run.window_steady
        latency = run.latency.itl_ms if run.latency else None
        if window is None or window.energy is None or not window.output_tokens or latency is None:
            continue
        seconds, device = window.energy.counter_seconds, run.device
        gpus = ",".join(gpu.uuid[4:8] for gpu in run.provenance.gpus)
        same = run.comparability
        place = (folder.name, run.configuration.model_id, same.runtime_version, same.request_set_id, gpus)
        yield {
            "run": " ".join(place),
            "label": same.weights.value,
            "batch": run.configuration.batch_size,
            "sampling": "sampled",
            "parts": [(part.outputs, part.counter_joules) for part in window.sub_windows],
            "part_seconds": seconds / max(1, len(window.sub_windows)),
            "itl_ms": {"0.5": latency.p50},
            "joules_per_token": window.energy.counter_joules / window.output_tokens,
            "tokens_per_second": window.output_tokens / seconds,
            "watts": window.energy.counter_joules / seconds,
            "sm_clock_mhz": device.sm_clock_median_mhz,
            "temperature_c": device.temperature_max_celsius,
        }


def grouped(lines: Iterator[dict[str, Any]]) -> dict[tuple[str, int, str], dict[str, list[dict[str, Any]]]]:
    """Windows of each kind, by run, batch size and sampling."""
    groups: dict[tuple[str, int, str], dict[str, list[dict[str, Any]]]] = {}
    for line in lines:
        key = (line["run"], line["batch"], line["sampling"])
        groups.setdefault(key, {}).setdefault(line["label"], []).append(line)
    return groups


def parts(windows: list[dict[str, Any]], per_token: bool) -> np.ndarray:
    """The tenths of the windows: joules per token, or tokens: of bundles, as they differ, per second."""
    tenths = [(part, window.get("part_seconds", 1.0)) for window in windows for part in window["parts"]]
    return np.array(
        [joules / tokens if per_token else tokens / seconds for (tokens, joules), seconds in tenths]
    )


def described(windows: list[dict[str, Any]]) -> str:
    """Means over the windows of a kind."""
    known = [key for key in _MEANS if all(window.get(key) is not None for window in windows)]
    mean = {key: float(np.mean([window[key] for window in windows])) for key in known}
    medians = ", ".join(f"{window['itl_ms']['0.5']:.3f}" for window in windows)
    figures = " ".join(f"{name} {mean[key]:{form}}" for key, (name, form) in _MEANS.items() if key in known)
    return f"{len(windows)} windows  {figures}  median ITL ms {medians}"


_MEANS = {
    "joules_per_token": ("J/token", ".5f"),
    "tokens_per_second": ("tokens/s", ",.0f"),
    "itl_mean_ms": ("mean ITL ms", ".3f"),
    "watts": ("W", ".1f"),
    "sm_clock_mhz": ("MHz", ".0f"),
    "temperature_c": ("C", ".1f"),
}


def main() -> None:
    """Print every group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--against", default="dummy")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        for (run, batch, sampling), kinds in grouped(measured_in(folder)).items():
            print(f"{run}  batch {batch}, {sampling}")
            for label, windows in kinds.items():
                print(f"  {label}: {described(windows)}")
            for label in (
                label for label in kinds if label != arguments.against and arguments.against in kinds
            ):
                ours, base = kinds[label], kinds[arguments.against]
                energy = difference(parts(ours, True), parts(base, True))
                speed = difference(parts(ours, False), parts(base, False))
                latency = mean_median(ours) - mean_median(base)
                share = latency / mean_median(base)
                print(f"  {label} against {arguments.against}: energy {energy}, tokens {speed}, "
                      f"median ITL {latency:+.3f} ms ({share:+.2%})")  # fmt: skip


def mean_median(windows: list[dict[str, Any]]) -> float:
    """Mean of the windows' median latencies, ms."""
    return float(np.mean([window["itl_ms"]["0.5"] for window in windows]))


if __name__ == "__main__":
    main()
