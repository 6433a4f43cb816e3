"""What `import_contribution` does: the same as `jouleboard land --contributor`, after a person approved it.

Imported by the DAG file, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import ContributionRefused
from benchmark_tasks.settings import Settings
from jouleboard_airflow.tasks import choices

if TYPE_CHECKING:
    from benchmark_tasks.results.schema import Run
    from expectations.contributions import Taken

log = logging.getLogger("airflow.task")

CONTRIBUTOR = "contributor"
NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_MOST_NAMED = 12
"""Configurations that the question names."""


def misfits(params: Mapping[str, Any]) -> list[choices.Misfit]:
    """The impossible fields of the form, as far as the file need not be read."""
    found = choices.texts(params, choices.CONTRIBUTION)
    contributor, source = params.get(CONTRIBUTOR), params.get("source")
    if (contributor is None) != (source is None):
        missing = CONTRIBUTOR if contributor is None else "source"
        found.append(choices.Misfit(missing, "is empty", "name the contributor and the file"))
    is_address = isinstance(source, str) and source.startswith(("http://", "https://"))
    if source is not None and not (is_address or Path(str(source)).is_absolute()):
        fits = "write the whole path of a file or folder, or an http(s) address"
        found.append(choices.Misfit("source", f"{str(source)!r:.80} is neither", fits))
    return found


def check(params: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Copy a contribution aside and check it; with the `question` to a person.

    Raises:
        AirflowSkipException: the form names nothing, or all of it has landed already.
        ContributionRefused: a fault; each one is a line of the log. Nothing is kept.
    """
    contributor, source = params[CONTRIBUTOR], params["source"]
    if source is None:
        raise AirflowSkipException("the form names no contribution")
    settings = Settings.from_environment()
    tidy(run_id)
    folder = _folder(settings, run_id)
    folder.mkdir(parents=True)
    try:
        file = _brought(str(source), folder)
        taken = _taken(file, contributor, settings, only_check=True)
        if not taken.landed:
            raise AirflowSkipException(f"all {len(taken.known)} runs have landed already")
    except BaseException:
        tidy(run_id)
        raise
    question = {
        "subject": f"Take {len(taken.landed)} runs that {contributor} measured?",
        "body": _in_words(taken, contributor, str(source)),
    }
    return {"question": question, "file": str(file), "sha256": _sha256(file), CONTRIBUTOR: contributor}


def land(checked: Mapping[str, Any]) -> list[str]:
    """Land what was checked and approved; returns the ids of its runs.

    Raises:
        ContributionRefused: it is not what was approved, or has a fault by now; nothing has landed.
    """
    file = Path(checked["file"])
    if not file.is_file() or _sha256(file) != checked["sha256"]:
        raise ContributionRefused(f"{file}: not the file that was approved; clear `check` to ask again")
    return list(_taken(file, checked[CONTRIBUTOR], Settings.from_environment()).landed)


def tidy(run_id: str) -> None:
    """Remove what was copied for a run of the DAG."""
    shutil.rmtree(_folder(Settings.from_environment(), run_id), ignore_errors=True)


def _folder(settings: Settings, run_id: str) -> Path:
    return settings.home / "scratch" / "contributions" / hashlib.sha256(run_id.encode()).hexdigest()[:16]


def _brought(source: str, folder: Path) -> Path:
    """A copy of the file, or of a folder's bundles in one file: what is approved is what will land."""
    from benchmark_tasks.cli.landing import bundles_in
    from benchmark_tasks.disk import disk_full_is_an_error
    from benchmark_tasks.imports.source import WebSource
    from expectations.contributions import MOST_BYTES, archive

    target = folder / "contribution"
    with disk_full_is_an_error(folder):
        if source.startswith(("http://", "https://")):
            target.write_bytes(WebSource.of_file(source, folder / "arriving").read(""))
        elif Path(source).is_dir():
            (folder / "copies").mkdir()
            archive.write(
                archive.copy_folder(bundles_in([Path(source)]), folder / "copies", MOST_BYTES), target
            )
            shutil.rmtree(folder / "copies")
        else:
            archive.copy_file(Path(source), target, MOST_BYTES)
    return target


def _taken(file: Path, contributor: str, settings: Settings, *, only_check: bool = False) -> Taken:
    from expectations.contributions import take

    try:
        return take(file, contributor, settings, only_check=only_check)
    except ContributionRefused as error:
        for fault in error.faults:
            log.error("%s", fault)
        raise


def _in_words(taken: Taken, contributor: str, source: str) -> str:
    """What a person decides on: how many runs of which configurations, by whose key, from where."""
    from benchmark_tasks.addresses import without_credentials

    where = without_credentials(source) if source.startswith("http") else source
    lines = [f"From {where}, signed by {contributor}. The gate found no fault. Configurations:", ""]
    labels: dict[str, int] = {}
    for run in taken.runs:
        labels[_label(run)] = labels.get(_label(run), 0) + 1
    lines += [f"- {label}: {count} runs" for label, count in sorted(labels.items())[:_MOST_NAMED]]
    if len(labels) > _MOST_NAMED:
        lines.append(f"- and {len(labels) - _MOST_NAMED} more")
    if taken.known:
        lines += ["", f"{len(taken.known)} more runs of it have landed already."]
    return "\n".join(lines)


def _label(run: Run) -> str:
    return " ".join(run.configuration.label().split()).replace("|", "/")[:200]


def _sha256(path: Path) -> str:
    from benchmark_tasks.disk import sha256

    return sha256(path)
