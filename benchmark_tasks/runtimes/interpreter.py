"""What another interpreter says: its packages, and answers to short scripts."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from benchmark_tasks.errors import EnvironmentBuildError
from benchmark_tasks.processes import without_secrets

PROBE_SECONDS = 300.0

# `python -c` looks in the working directory first; what lies there is not the environment's.
_NOT_HERE = "import sys; sys.path[:] = [p for p in sys.path if p]\n"

LIST_PACKAGES = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.name: d.version for d in reversed([*m.distributions()]) if d.name}))"
)
"""Script that prints what `packages_from` reads; of two versions the first, which is what is imported."""


def ask(python: Path, script: str, variables: Mapping[str, str]) -> str:
    """What a short script prints in an environment.

    Raises:
        EnvironmentBuildError: the interpreter cannot be run, the script failed, or nothing came in time.
    """
    try:
        answer = subprocess.run(
            [str(python), "-c", _NOT_HERE + script],
            env={**clean_variables(), **variables},
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=True,
        )
    except OSError as error:
        raise EnvironmentBuildError(f"{python} cannot be run: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise EnvironmentBuildError(f"{python}: {telling(tuple(error.stderr.splitlines()))}") from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentBuildError(f"{python} did not answer within {PROBE_SECONDS:.0f} s") from error
    return answer.stdout


def packages_from(listed: str) -> dict[str, str]:
    """Packages and versions from what `LIST_PACKAGES` printed."""
    return {_canonical(name): version for name, version in sorted(json.loads(listed).items())}


def same_release(installed: str, wanted: str) -> bool:
    """Whether an installed version is the wanted one; a build tag (`0.26.0+cu130`) does not matter."""
    return Version(installed).public == Version(wanted).public


def clean_variables() -> dict[str, str]:
    """This process's variables without secrets and without those that change what an interpreter imports."""
    astray = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in without_secrets(os.environ).items() if name not in astray}


def telling(tail: Sequence[str]) -> str:
    """The last line that names an error; the last line at all if none does."""
    pattern = re.compile(r"error|cause:|╰─▶|not found|failed", re.IGNORECASE)
    lines = [line.strip() for line in tail if pattern.search(line)]
    return (lines or [line.strip() for line in tail] or ["no output"])[-1]


def _canonical(name: str) -> str:
    """A package name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
