"""Real weights for the demo, where they are cheap: a small model of the hub, within a size and a time.

It is measured beside the tiny model with dummy weights. Without a hub, or if it takes too long, only that is.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmark_tasks.catalog import Catalog, Model, load, records
from benchmark_tasks.errors import HubRefused, JouleboardError, one_line
from benchmark_tasks.releases.hub import Hub, Repository, bytes_loaded
from benchmark_tasks.runtimes.hub_cache import cache_folder
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Weights

MODEL_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
LARGEST_BYTES = 400 << 20
LONGEST_SECONDS = 240.0

_HERE = {
    "weights": "real",
    "server": {"max_model_len": 512, "enforce_eager": True},
    "tasks": {"lm-arena-chat": {"deployments": [{"gpu_model": "none", "num_gpus": 0, "batch_sizes": [2]}]}},
}
"""What differs from the shipped entry. The context is short: a load on two cores ends within minutes."""


def offer_real_weights(catalog: Catalog, settings: Settings, say: Callable[[str], None]) -> None:
    """Put the small model into this installation's catalog, its weights in the cache, unless some are real.

    Says what was done, or why there are no real weights; nothing is raised, and nothing is half-done.
    """
    if any(_is_real_on_cpu(model) for model in catalog.models.values()):
        return
    file = records.file_of(settings.catalog / "models", MODEL_ID)
    try:
        model = _fetched(settings, say)
        records.write(file, model, compact=True)
    except JouleboardError as error:
        say(f"no real weights from a hub: {one_line(error)}")
        return
    say(f"{MODEL_ID} is in the catalog, {file}: remove the file to measure it no longer")


def _is_real_on_cpu(model: Model) -> bool:
    real = model.weights is Weights.REAL or model.weights_folder is not None
    return real and any(place.num_gpus == 0 for task in model.tasks.values() for place in task.deployments)


def _fetched(settings: Settings, say: Callable[[str], None]) -> Model:
    """The model at the hub's commit, with its files on this machine."""
    hub = Hub(settings)
    repository = hub.repository(MODEL_ID)
    config, size = hub.config(repository), bytes_loaded(repository)
    if size > LARGEST_BYTES:
        raise HubRefused(
            f"{MODEL_ID} has {size >> 20} MiB, more than the demo fetches ({LARGEST_BYTES >> 20})"
        )
    say(f"fetching {MODEL_ID} from {hub.shown}: {size >> 20} MiB, at most {LONGEST_SECONDS:.0f} s")
    _fetch(repository)
    changes = {"revision": repository.model.revision, "hub_config": config}
    return Model.model_validate(load().model(MODEL_ID).model_dump(exclude_unset=True) | _HERE | changes)


def _fetch(repository: Repository) -> None:
    """Fetch in a process that can be ended: the hub's client has no deadline for a whole file."""
    command = [sys.executable, "-m", __name__, str(cache_folder())]
    try:
        ended = subprocess.run(
            command,
            input=repository.model_dump_json(),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HubRefused(
            f"{MODEL_ID} was not here after {LONGEST_SECONDS:.0f} s; the next demo fetches the rest"
        ) from None
    if ended.returncode:
        raise HubRefused((ended.stderr.strip().splitlines() or ["the transfer ended early"])[-1])


def _fetch_here(cache: Path) -> int:
    try:
        Hub(Settings.from_environment()).download(Repository.model_validate_json(sys.stdin.read()), cache)
    except JouleboardError as error:
        print(one_line(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_fetch_here(Path(sys.argv[1])))
