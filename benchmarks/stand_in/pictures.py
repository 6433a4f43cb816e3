"""Image and video pipelines under PyTorch's initialisation and under the stand-in: what they compute with.

    python -m benchmarks.stand_in.pictures [--model ID] [--task TASK] [--version V] [--gpus 1]

Prints, for each kind of weights, how large latents, predictions and decoded values are, how much of them
differs from place to place (0: a constant latent, a picture of one grey), and the share of values that the
decoder cuts off. What each kind costs is measured by the story `diffusion` of `benchmarks.stand_in.campaign`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmark_tasks.catalog import load
from benchmark_tasks.diffusion.generator import PROGRAM, job_of
from benchmark_tasks.plan import single_sweep
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.runtimes.environments import ensure
from benchmark_tasks.settings import Settings
from benchmark_tasks.stand_in.installing import write_plugin_folder
from benchmark_tasks.vocabulary import Task, Weights

WORKER = Path(__file__).with_name("pictures_worker.py")
PROMPTS = ("a lighthouse on a cliff", "a red bicycle", "a bowl of cherries", "rain in a street at night")


def look(options: argparse.Namespace, weights: Weights, scratch: Path) -> dict[str, Any]:
    """What the worker tells of one kind of weights."""
    catalog = load()
    sweep = single_sweep(
        catalog,
        model_id=options.model,
        task=Task(options.task),
        runtime_version=options.version,
        gpu_model=options.gpu_model if options.gpus else NO_GPU,
        num_gpus=options.gpus,
        batch_sizes=[options.batch_size],
        weights=weights,
    )
    environment = ensure(
        sweep.distribution, sweep.runtime_version, Settings.from_environment(), progress=print
    )
    job = scratch / f"{weights}.json"
    job.write_text(json.dumps(job_of(sweep, catalog.model(options.model), PROMPTS, options.seed)))
    command = [str(environment.python), str(WORKER), str(PROGRAM.parent), str(job), str(options.batch_size)]
    variables = {**os.environ, "PYTHONPATH": str(write_plugin_folder(scratch / "stand-in"))}
    done = subprocess.run(
        command, env=variables, stdout=subprocess.PIPE, text=True, check=True, timeout=options.seconds
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    """Both kinds of weights, one JSON line each, then the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="jouleboard/pixart-tiny")
    parser.add_argument("--task", default="text-to-image")
    parser.add_argument("--version", default="0.42.1")
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--gpu-model", default="H100")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600.0, help="limit for each kind of weights")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        looks = [look(options, weights, Path(folder)) for weights in (Weights.RANDOM, Weights.STAND_IN)]
    for told in looks:
        print(json.dumps(told))
    for name in ("first_latents", "last_latents", "first_prediction", "last_prediction", "decoded"):
        for told in looks:
            print(f"{name:17} {told['weights']:11} {_plain(told[name])}")


def _plain(values: dict[str, float] | None) -> str:
    return "none" if values is None else "  ".join(f"{key} {value:.4g}" for key, value in values.items())


if __name__ == "__main__":
    main()
