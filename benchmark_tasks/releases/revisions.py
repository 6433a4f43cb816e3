"""Revisions of the models in the catalog: which one is measured, and which need a benchmark of their own.

    $JOULEBOARD_HOME/catalog/revisions/<organisation>__<name>.yaml

The revision at the first watch is measured with the next release. A later revision gets one benchmark of its
own if it changes a file that decides what is measured. Of several revisions between two watches, only the
last one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from benchmark_tasks.catalog import Catalog, Model, records
from benchmark_tasks.catalog.reading import read
from benchmark_tasks.catalog.revisions import Revision, Revisions
from benchmark_tasks.errors import HubRefused
from benchmark_tasks.releases.hub import Hub
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Architecture, Weights


@dataclass(frozen=True)
class Due:
    """A revision that needs a benchmark of its own."""

    model: Model
    revision: str


def watch(hub: Hub, catalog: Catalog, settings: Settings) -> tuple[list[Due], list[str]]:
    """Every current revision that needs a benchmark of its own, and one line per change.

    All of them are returned every time: the caller starts one benchmark per revision.

    Raises:
        IndexUnreachable: the hub did not answer; what was seen before is kept.
        DiskFull
    """
    due, lines = [], []
    for model in watched(catalog):
        try:
            lines += _look(model.model_id, hub, settings)
        except HubRefused as error:
            lines.append(f"revision not known: {error}")
        due += _due(model, settings)
    return due, lines


def watched(catalog: Catalog) -> list[Model]:
    """Models whose weights come from the hub and are served by a language runtime."""
    return [
        model
        for model in catalog.models.values()
        if model.weights in (None, Weights.REAL)
        and any(task.architecture is not Architecture.DIFFUSION for task in model.tasks)
    ]


def begin(model_id: str, revision: str, content: str, settings: Settings, *, measured: bool) -> None:
    """Start the list of a model's revisions, unless it exists."""
    first = Revision(revision=revision, content=content, seen_at=datetime.now(UTC), measured=measured)
    path = records.file_of(settings.catalog / "revisions", model_id)
    records.create(path, Revisions(model_id=model_id, head=revision, revisions=(first,)))


def _look(model_id: str, hub: Hub, settings: Settings) -> list[str]:
    """Compare the hub with the list of revisions, and add a new one to it."""
    head = hub.commit(model_id)
    known = _kept(model_id, settings)
    if known is not None and known.head == head:
        return []
    repository = hub.repository(model_id, head)
    content = repository.content
    if known is None:
        begin(model_id, head, content, settings, measured=False)
        return [f"{model_id}: watched from revision {head[:12]} on"]
    with records.one_writer(settings.catalog / "revisions"):
        known = _kept(model_id, settings) or known
        if known.head == head:
            return []
        changed = known.current.content != content
        new = Revision(revision=head, content=content, seen_at=datetime.now(UTC), measured=True)
        update = {"head": head, "revisions": (*known.revisions, new) if changed else known.revisions}
        records.write(
            records.file_of(settings.catalog / "revisions", model_id), known.model_copy(update=update)
        )
    what = "new revision" if changed else "only its description changed with revision"
    return [f"{model_id}: {what} {head[:12]}"]


def _due(model: Model, settings: Settings) -> list[Due]:
    known = _kept(model.model_id, settings)
    return [Due(model, known.current.revision)] if known and known.current.measured else []


def _kept(model_id: str, settings: Settings) -> Revisions | None:
    path = records.file_of(settings.catalog / "revisions", model_id)
    return read(path, Revisions) if path.exists() else None
