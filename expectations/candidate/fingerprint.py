"""The code and the packages that a publication is built with; part of the digest of its inputs."""

from __future__ import annotations

import hashlib
import os
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_SOURCES = (
    ("expectations", ("*.py", "*.html", "*.css", "*.js", "*.sql", "*.yaml", "*.xml", "*.txt")),
    ("dbt_project", ("*.sql", "*.py", "*.yml", "*.yaml", "*.csv", "*.md")),
    ("benchmark_tasks/results", ("*.py",)),
)
_PACKAGES = ("dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "pandas")
_SKIPPED = {"target", "logs", "dbt_packages", "__pycache__"}


def code_digest(root: Path = ROOT) -> str:
    """SHA-256 over the gate, the dbt project, the record's schema and the versions of the packages."""
    digest = hashlib.sha256(repr(software()).encode())
    for folder, patterns in _SOURCES:
        for path in sorted(file for pattern in patterns for file in (root / folder).rglob(pattern)):
            relative = path.relative_to(root)
            if not _SKIPPED & set(relative.parts):
                digest.update(f"{relative}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@lru_cache
def software() -> tuple[tuple[str, str], ...]:
    """Name and version of the packages that build a publication."""
    return tuple((name, metadata.version(name)) for name in _PACKAGES)


@lru_cache
def git_commit(root: Path = ROOT) -> str | None:
    """Commit of the working tree, with `+changes` if files were changed; `None` outside git.

    `JOULEBOARD_GIT_COMMIT` stands in where the code travels without its history, as in an image.
    """
    told = os.environ.get("JOULEBOARD_GIT_COMMIT")
    if told:
        return told
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if changes else "")


def _git(root: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=True
    )
    return result.stdout.strip()
