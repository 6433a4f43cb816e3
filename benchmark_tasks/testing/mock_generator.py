"""Talks as `diffusion/program/generate.py` does and generates nothing, fast; misbehaves on demand.

    JOULEBOARD_MOCK_FAULT="dies 4" python mock_generator.py FOLDER

Standard library only: it is run by whatever interpreter the sweep's environment has. A test holds it
to the real program.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

BATCH_SECONDS = 0.02
FIRST_BATCH_SECONDS = 0.1
FAULTS = (
    "full-at-start",
    "never-ready",
    "full",
    "dies",
    "fails",
    "hangs",
    "slows",
    "stumbles",
    "has-no-sample",
    "paints-black",
)
"""`full`, `dies`, `fails` and `hangs` may name the batch size at which they happen. With `slows` each batch
takes longer than the one before; with `stumbles` one in the middle takes fifty times as long."""

_DRAWN = {"recipe": "stand-in.1", "seed": 0, "digest": "", "tensors": 0, "values": 0, "device": "none"}
"""The report on stand-in weights; this program has no weights."""

_JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")


def main(folder: Path) -> None:
    """Answer as `diffusion/program/generate.py` does, with the fault that the environment names."""
    fault, _, at = os.environ.get("JOULEBOARD_MOCK_FAULT", "").partition(" ")
    if fault and fault not in FAULTS:
        raise SystemExit(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
    job = json.loads((folder / "job.json").read_text())
    if fault == "full-at-start":
        fail(folder, "OutOfMemoryError: the weights do not fit", full=True)
    if fault == "never-ready":
        time.sleep(3600)
    drawn = [_DRAWN] if job.get("weights") == _DRAWN["recipe"] else []
    tell(folder, {"event": "ready", "at_ns": now(), "devices": max(job["num_gpus"], 1), "stand_in": drawn})
    number = 0
    while batch_size := next_point(folder, number):
        generate(folder, number, job, batch_size, fault if at in ("", str(batch_size)) else "")
        number += 1


def next_point(folder: Path, number: int) -> int:
    """Wait for the next point; returns its batch size, or 0 to end."""
    order = folder / f"point-{number}.json"
    while not order.exists():
        if (folder / "leave").exists():
            return 0
        time.sleep(0.005)
    return int(json.loads(order.read_text())["batch_size"])


def generate(folder: Path, number: int, job: dict[str, Any], batch_size: int, fault: str) -> None:
    """Batches of one size that take a fixed time, until told to stop."""
    index, stopped = 0, False
    while not stopped:
        begin = now()
        seconds = FIRST_BATCH_SECONDS if index == 0 else BATCH_SECONDS
        time.sleep(seconds * slowness(fault, index))
        if index == 2:
            misbehave(folder, fault)
        batch = {"point": number, "index": index, "begin_ns": begin, "end_ns": now(), "items": batch_size}
        tell(folder, {"event": "batch", **batch})
        stopped = (folder / f"point-{number}.stop").exists()
        index += 1
    sample = None
    if fault != "has-no-sample":
        (folder / f"sample-{number}.jpg").write_bytes(_JPEG)
        asked = job["generation"]
        sample = {
            "pixel_spread": 0.0 if fault == "paints-black" else 1.0,
            "non_finite_share": None,
            "computed_width": asked["width"],
            "computed_height": asked["height"],
            "frames": asked.get("num_frames") or 1,
        }
    tell(folder, {"event": "ended", "point": number, "peak_memory_bytes": [], "sample": sample})


def slowness(fault: str, index: int) -> int:
    """How many times as long as usual a batch takes."""
    match fault:
        case "slows":
            return 1 + index
        case "stumbles":
            return 50 if index == 60 else 1
        case _:
            return 1


def misbehave(folder: Path, fault: str) -> None:
    """Fail if the fault is for this moment."""
    match fault:
        case "full":
            fail(folder, "OutOfMemoryError: CUDA out of memory", full=True)
        case "fails":
            fail(folder, "RuntimeError: shapes do not match", full=False)
        case "dies":
            print("the last words", flush=True)
            os._exit(9)
        case "hangs":
            time.sleep(3600)


def fail(folder: Path, reason: str, *, full: bool) -> None:
    """Write the event of a failure, and end."""
    tell(folder, {"event": "failed", "reason": reason, "out_of_memory": full, "traceback": [reason]})
    raise SystemExit(1)


def tell(folder: Path, event: dict[str, object]) -> None:
    """Append an event to events.jsonl."""
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")


def now() -> int:
    """Nanoseconds of CLOCK_MONOTONIC."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
