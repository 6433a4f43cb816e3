"""The order of the rooms: nothing imports upward, and there is no circle.

The contracts are in `pyproject.toml` ([tool.importlinter]); `lint-imports` shows what breaks one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmark_tasks", "expectations")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the source tree in a folder."""
    command = [
        str(Path(sys.executable).with_name("lint-imports")),
        "--no-cache",
        str(ROOT / "pyproject.toml"),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder)


def test_nothing_imports_upward_and_there_is_no_circle() -> None:
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        (
            "benchmark_tasks/results/bundle.py",
            "from benchmark_tasks import catalog",
            "nothing imports upward",
        ),
        ("benchmark_tasks/plan/sweep.py", "from benchmark_tasks import run", "nothing imports upward"),
        (
            "benchmark_tasks/runtimes/endpoint.py",
            "from benchmark_tasks.runtimes import origins",
            "no circle between files",
        ),
        ("benchmark_tasks/new_room.py", "", "nothing imports upward"),
        ("benchmark_tasks/run.py", "import airflow", "measuring and landing need no Airflow"),
    ],
)
def test_what_breaks_the_order_is_found(tmp_path: Path, file: str, line: str, broken: str) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / file).open("a") as source:
        source.write(f"\n{line}\n")
    checked = lint_imports(tmp_path)
    assert checked.returncode != 0
    assert broken in next(
        (text for text in checked.stdout.splitlines() if text.endswith("BROKEN")), checked.stdout
    )
