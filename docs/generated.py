"""Pages of the documentation site that are made from the code, so that they cannot be out of date.

A hook of MkDocs (`mkdocs.yml`): the command line from typer, marts from dbt, packages for mkdocstrings,
settings from operations.md, and the pages that live outside docs/.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

REPOSITORY = Path(__file__).parents[1]
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "recorded_runs/README.md": "recorded-runs.md",
}
"""Files of the repository that are pages of the site, too."""
PACKAGES = {
    "benchmark_tasks": REPOSITORY / "benchmark_tasks",
    "expectations": REPOSITORY / "expectations",
    "jouleboard_airflow": REPOSITORY / "plugins" / "jouleboard_airflow",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "reference/command-line.md": command_line(),
        "reference/marts.md": marts(),
        "reference/settings.md": settings(),
        **{f"reference/{name}.md": package(name, folder) for name, folder in PACKAGES.items()},
        **{page: (REPOSITORY / source).read_text() for source, page in OUTSIDE.items()},
    }
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to files of the repository lead to their pages."""
    for source, page in OUTSIDE.items():
        markdown = markdown.replace(f"](../{source})", f"]({page})")
    return markdown


def command_line() -> str:
    """Every command with its options, as typer documents them."""
    import typer
    from typer.cli import get_docs_for_click

    from benchmark_tasks.cli.app import app

    command: Any = typer.main.get_command(app)  # typer carries a copy of Click with types of its own
    context: Any = typer.Context(command, info_name="jouleboard")
    with context:
        return get_docs_for_click(obj=command, ctx=context, name="jouleboard", title="Command line")


def marts() -> str:
    """Grain and columns of every mart, with doc blocks resolved by dbt itself."""
    from dbt.cli.main import dbtRunner

    from benchmark_tasks.results.identity import dbt_variables

    project = str(REPOSITORY / "dbt_project")
    with tempfile.TemporaryDirectory() as scratch:
        read = ["--project-dir", project, "--profiles-dir", project, "--no-partial-parse"]
        write = ["--target-path", scratch, "--log-path", scratch]
        keys = ["--vars", json.dumps(dbt_variables())]
        parsed = dbtRunner().invoke(["--quiet", "parse", *read, *write, *keys])
    if not parsed.success:
        raise SystemExit(f"dbt cannot parse {project}: {parsed.exception}")
    manifest: Any = parsed.result  # one of six types: a Manifest
    models = [
        node for node in manifest.nodes.values() if node.resource_type == "model" and node.fqn[1] == "marts"
    ]
    return "\n".join(_mart_lines(sorted(models, key=lambda model: (model.fqn[2], model.name))))


def _mart_lines(models: list[Any]) -> Iterator[str]:
    yield "# Marts\n"
    yield "One table per mart, in the schema `marts` of `leaderboard.duckdb` and as `parquet/<mart>.parquet`."
    group = None
    for model in models:
        if model.fqn[2] != group:
            group = model.fqn[2]
            yield f"\n## {group.capitalize()}\n"
        yield f"\n### {model.name}\n\n{model.description.strip()}\n"
        yield "| column | type | meaning |\n| --- | --- | --- |"
        for column in model.columns.values():
            meaning = " ".join(column.description.split()).replace("|", "\\|")
            yield f"| `{column.name}` | {column.data_type or ''} | {meaning} |"


def settings() -> str:
    """The section "Settings" of operations.md, alone."""
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    [section] = re.findall(r"^## Settings\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return f"# Settings\n{section}"


def package(name: str, folder: Path) -> str:
    """A page for mkdocstrings with every public module of a package, room by room."""
    sys.path.insert(0, str(REPOSITORY / "plugins"))
    lines = [f"# {name}", f"::: {name}\n    options: {{ members: false, show_root_heading: false }}\n"]
    for room in _modules(folder):
        heading = f"{'#' * min(len(room) + 1, 3)} {room[-1]}"
        module = ".".join((name, *room))
        lines.append(f"{heading}\n\n::: {module}\n    options: {{ show_root_heading: false }}\n")
    return "\n".join(lines)


def _modules(folder: Path) -> Iterator[tuple[str, ...]]:
    """Public modules and packages below a folder, a package before what is in it."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts and not any(part.startswith("_") for part in parts) and "program" not in parts:
            yield parts
