"""Where real pipelines come from."""

from __future__ import annotations

import os

import pytest

from benchmark_tasks.errors import EnvironmentBuildError, IndexUnreachable, UnknownVersion
from benchmark_tasks.runtimes.environments import Environment, ensure
from benchmark_tasks.settings import Settings

DIFFUSERS = "0.42.1"


@pytest.fixture(scope="session")
def diffusers() -> Environment:
    """An environment with diffusers and a torch for CPUs: 1 GB, made once and kept in JOULEBOARD_HOME.

    Where it cannot be had a test that needs it is skipped, unless JOULEBOARD_REQUIRE_DIFFUSERS is 1.
    """
    try:
        return ensure("diffusers", DIFFUSERS, Settings.from_environment())
    except (EnvironmentBuildError, IndexUnreachable, UnknownVersion) as error:
        if os.environ.get("JOULEBOARD_REQUIRE_DIFFUSERS") == "1":
            pytest.fail(f"no environment with diffusers: {error}")
        pytest.skip(f"no environment with diffusers: {error}")
