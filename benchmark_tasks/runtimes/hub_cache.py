"""Which commit of a model the cache of the hub's client holds, for servers that load from it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

COMMIT = re.compile(r"[0-9a-f]{40}")


def cached_commit(
    model_id: str, revision: str = "main", environment: Mapping[str, str] = os.environ
) -> str | None:
    """The commit that a branch, a tag or a commit of a model has in the cache; `None` if it is not there."""
    snapshot = cached_snapshot(model_id, revision, environment)
    return None if snapshot is None else snapshot.name


def cached_snapshot(
    model_id: str, revision: str = "main", environment: Mapping[str, str] = os.environ
) -> Path | None:
    """The folder with a model's files at that commit; `None` if the cache has none of them."""
    repository = cache_folder(environment) / f"models--{model_id.replace('/', '--')}"
    commit = revision
    if not COMMIT.fullmatch(revision):
        try:
            commit = (repository / "refs" / revision).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None
    snapshot = repository / "snapshots" / commit
    return snapshot if COMMIT.fullmatch(commit) and snapshot.is_dir() else None


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the hub's client keeps repositories, by its own variables."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(name):
            return Path(environment[name]).expanduser()
    if environment.get("HF_HOME"):
        return Path(environment["HF_HOME"]).expanduser() / "hub"
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache).expanduser() / "huggingface" / "hub"
