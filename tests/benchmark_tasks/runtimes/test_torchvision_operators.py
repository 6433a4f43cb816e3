"""The hook that lets a torchvision without compiled operators be imported; both packages are stand-ins."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark_tasks.runtimes import torchvision_operators

TORCH = """
class library:
    known = []
    class Library:
        def __init__(self, name, kind):
            assert (name, kind) == ("torchvision", "DEF")
        def define(self, schema):
            library.known.append(schema.split("(")[0])
"""
TORCHVISION = """
import torch
for operator in ("nms", "qnms"):
    if operator not in torch.library.known:
        raise RuntimeError(f"operator torchvision::{operator} does not exist")
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A place like an environment's site-packages."""
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "torchvision.py").write_text(TORCHVISION)
    shutil.copyfile(torchvision_operators.__file__, tmp_path / "jouleboard_torchvision.py")
    return tmp_path


def run(packages: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, env={"PYTHONPATH": str(packages)}, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_is_declared_what_torchvision_describes(packages: Path) -> None:
    assert "nms does not exist" in run(packages, "import torchvision").stderr
    ended = run(packages, "import jouleboard_torchvision, torchvision, torch; print(torch.library.known)")
    assert (ended.returncode, ended.stdout) == (0, "['nms', 'qnms']\n"), ended.stderr


def test_nothing_is_imported_for_who_does_not_want_it(packages: Path) -> None:
    ended = run(packages, "import jouleboard_torchvision, sys; print('torch' in sys.modules)")
    assert ended.stdout == "False\n"


def test_here_it_is_only_a_file() -> None:
    """Importing it in this package installs nothing."""
    assert not any(type(finder).__name__ == "_DeclareFirst" for finder in sys.meta_path)
