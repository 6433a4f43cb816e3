"""An installation and the model hub that it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import ModelHub


@pytest.fixture
def server(model_hub: ModelHub) -> ModelHub:
    """The hub, as the one that answers."""
    return model_hub


@pytest.fixture
def settings(server: ModelHub, tmp_path: Path) -> Settings:
    """A home of its own, and this hub."""
    return Settings(home=tmp_path, hub_url=server.url)
