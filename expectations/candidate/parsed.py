"""The dbt project as dbt has parsed it, kept beside it for the next build of the same project.

Parsing takes longer than building a small candidate. dbt's own partial parsing cannot help: it begins anew
for each database file, and every candidate has its own.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_tasks.results import identity
from expectations import kept

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

FOLDER = "target"
"""In the project; git ignores it."""
INPUTS = "@inputs@"
"""What stands for the folder of the inputs in a project that is parsed for every candidate."""
_BUILT = {FOLDER, "logs"}
_NAME = "parsed-{digest}.msgpack"
_PACKAGES = ("dbt-core", "dbt-adapters", "dbt-common", "dbt-duckdb")


def place(project: Path) -> Path:
    """Where it is kept. The name follows from all that dbt parses: files, variables, versions, the folder."""
    sources = (
        path
        for path in project.rglob("*")
        if path.is_file() and not _BUILT & set(path.relative_to(project).parts)
    )
    said = [
        f"{path.relative_to(project)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(sources)
    ]
    said += [f"{package} {version(package)}" for package in _PACKAGES]
    said += [sys.version, str(project.resolve()), json.dumps(identity.dbt_variables(), sort_keys=True)]
    return project / FOLDER / _NAME.format(digest=hashlib.sha256("\n".join(said).encode()).hexdigest()[:32])


def read(path: Path) -> Manifest | None:
    """What was kept; `None` if there is nothing, or it cannot be read."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    with suppress(Exception):  # whatever is wrong with it, parsing anew is right
        if (content := kept.read(path)) is not None:
            manifest: Manifest = Manifest.from_msgpack(content, decoder=extended_mashumuro_decoder)
            return manifest
    return None


def keep(manifest: Manifest, path: Path) -> None:
    """Keep it instead of those of earlier states of the project, unless the project cannot be written to."""
    from dbt.parser.manifest import extended_mashumaro_encoder

    content = bytes(manifest.to_msgpack(extended_mashumaro_encoder))
    kept.keep(content, path, instead_of=_NAME.format(digest="*"))


def locate(manifest: Manifest, inputs: Path) -> None:
    """Let its sources be the files of one candidate."""
    for source in manifest.sources.values():
        for meta in (source.meta, source.source_meta, source.config.meta):
            if "external_location" in meta:
                meta["external_location"] = meta["external_location"].replace(INPUTS, str(inputs))


def tables_only(manifest: Manifest) -> None:
    """Let no mart be a view: its inputs have this path only while dbt builds."""
    for node in manifest.nodes.values():
        if "marts" in node.fqn and node.config.materialized == "view":
            node.config.materialized = "table"
