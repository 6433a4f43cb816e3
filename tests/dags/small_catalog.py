"""A catalog with three configurations on one A100, of which the shipped one has none; one is a canary."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmark_tasks.catalog import Deployment, load, records
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Task

CANARY, OTHER = "org/canary", "org/other"
POLICY = {"kinds": {"dense": [{"model_id": CANARY, "task": "lm-arena-chat", "batch_sizes": [64]}]}}


@pytest.fixture
def small_catalog(home: Path) -> Path:
    """This installation's additions to the catalog."""
    folder = Settings.from_environment().catalog
    shipped = load().model("Qwen/Qwen3-8B")
    for model_id, sizes in ((CANARY, (64,)), (OTHER, (32, 64))):
        place = Deployment(gpu_model="A100", num_gpus=1, batch_sizes=sizes)
        task = shipped.tasks[Task.LM_ARENA_CHAT].model_copy(update={"deployments": (place,)})
        entry = {"model_id": model_id, "nickname": model_id, "tasks": {Task.LM_ARENA_CHAT: task}}
        records.write(records.file_of(folder / "models", model_id), shipped.model_copy(update=entry))
    (folder / "canaries.yaml").write_text(yaml.safe_dump(POLICY))
    return folder
