"""No wheel and no source archive holds anything but the project's own files."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

REPOSITORY = Path(__file__).parents[2]
CANARY = "canary-41c9e2"
PLACES = (
    ".env",
    "jouleboard.env",
    "var/airflow/secrets.json",
    "benchmark_tasks/.env",
    "benchmark_tasks/catalog/data/private.pem",
    "expectations/.env",
    "expectations/token",
)
"""Where a person who builds may have left a secret."""


_BUILT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is built from, with secrets beside it."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tree)
    for name in ("benchmark_tasks", "expectations"):
        shutil.copytree(
            REPOSITORY / name,
            tree / name,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"),
        )
    for place in PLACES:
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        (tree / place).write_text(CANARY)
    return tree


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


@pytest.mark.parametrize("folder", [".", "benchmark_tasks"])
def test_wheels_and_archives_hold_no_secret(tree: Path, tmp_path: Path, folder: str) -> None:
    command = [find_uv_bin(), "build", "--quiet", "--out-dir", str(tmp_path), str(tree / folder)]
    subprocess.run(command, check=True, timeout=120)
    contents: dict[str, bytes] = {}
    for file in tmp_path.glob("*.whl"):
        with zipfile.ZipFile(file) as wheel:
            contents |= {name: wheel.read(name) for name in wheel.namelist()}
    for file in tmp_path.glob("*.tar.gz"):
        with tarfile.open(file) as archive:
            members = [member for member in archive if member.isfile()]
            contents |= {member.name: _read(archive, member) for member in members}
    assert any(name.endswith("METADATA") for name in contents)
    assert any(name.endswith("PKG-INFO") for name in contents)
    assert [name for name, content in contents.items() if CANARY.encode() in content] == []
    assert [name for name in contents if Path(name).name.startswith(".") and Path(name).suffix != ".py"] == []
