"""Which real weights a sweep measures: no run has real weights without an identity.

Of a folder it is the hash of its content, of the hub the commit. A server at an endpoint is the exception:
only its owner knows what it serves, and its runs say that it was one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark_tasks.catalog import Catalog, Model
from benchmark_tasks.errors import CatalogError, HubRefused, IndexUnreachable, JouleboardError
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.runtimes.hub_cache import COMMIT, cached_commit
from benchmark_tasks.runtimes.launch import AtEndpoint
from benchmark_tasks.runtimes.weights_folder import WeightsFolder, read_weights_folder, require_same_model
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Architecture, Weights


def with_identity(
    sweep: Sweep, catalog: Catalog, settings: Settings, say: Callable[[str], None] = lambda line: None
) -> tuple[Sweep, WeightsFolder | None]:
    """The sweep with the identity of its real weights, and the folder if they come from one.

    A model without `hub_config` has its folder's config.json instead.

    Raises:
        CatalogError: the folder cannot be used, holds another model, or is not what was planned; or the
            commit is not known, neither from the hub nor from its client's cache.
    """
    if sweep.weights is not Weights.REAL or isinstance(sweep.server, AtEndpoint):
        return sweep, None
    model = sweep.model or catalog.model(sweep.model_id)
    if sweep.weights_folder is None:
        return _at_commit(sweep, model, settings, say), None
    folder = read_weights_folder(Path(sweep.weights_folder), settings.home, say)
    _require_kind(folder, sweep)
    require_same_model(folder, model)
    planned = sweep.weights_revision
    if planned is not None and planned != folder.revision:
        raise CatalogError(
            f"{folder.path}: not the weights that were planned: {planned[:12]} was planned, and it is now "
            f"{folder.revision[:12]}; plan again"
        )
    changes: dict[str, object] = {"weights_revision": folder.revision}
    if folder.precision is not None:
        changes["weight_precision"] = folder.precision
    if model.hub_config is None and folder.config is not None:
        changes["model"] = model.model_copy(update={"hub_config": dict(folder.config)})
    return sweep.model_copy(update=changes), folder


def named_if_here(sweep: Sweep, catalog: Catalog, settings: Settings) -> Sweep:
    """For planning: the sweep with the hash of its folder. A folder on another machine has none yet.

    Raises:
        CatalogError: as `with_identity`.
    """
    if sweep.weights_folder is None or not Path(sweep.weights_folder).exists():
        return sweep
    return with_identity(sweep, catalog, settings)[0]


def named_if_readable(sweep: Sweep, catalog: Catalog, settings: Settings) -> Sweep:
    """The same for many models at once: a folder that cannot be used costs only its own measurement."""
    try:
        return named_if_here(sweep, catalog, settings)
    except JouleboardError:
        return sweep


def _require_kind(folder: WeightsFolder, sweep: Sweep) -> None:
    pipeline = folder.config is None
    if pipeline == (sweep.task.architecture is Architecture.DIFFUSION):
        return
    held = "the pipeline of an image or video model" if pipeline else "a language model"
    raise CatalogError(f"{folder.path}: holds {held}, which is not measured on {sweep.task}")


def _at_commit(sweep: Sweep, model: Model, settings: Settings, say: Callable[[str], None]) -> Sweep:
    if Path(model.model_id).exists():
        raise CatalogError(
            f"the runtime would load the folder {model.model_id} of this working directory, not the hub's "
            f"model: use --weights-folder {model.model_id}, or change to another directory"
        )
    wanted = model.revision or "main"
    if COMMIT.fullmatch(wanted):
        return sweep
    commit = _commit_of(model.model_id, wanted, settings)
    say(f"weights: {model.model_id} at commit {commit[:12]}")
    return sweep.model_copy(update={"model": model.model_copy(update={"revision": commit})})


def _commit_of(model_id: str, revision: str, settings: Settings) -> str:
    """The commit that the hub has now; where it cannot be asked, the one in its client's cache."""
    try:
        from benchmark_tasks.releases.hub import Hub

        return Hub(settings).commit(model_id, revision)
    except (IndexUnreachable, HubRefused, ImportError) as error:  # some hosts lack the hub's client
        if (cached := cached_commit(model_id, revision)) is not None:
            return cached
        raise CatalogError(
            f"real weights of {model_id}: no commit is known, from the hub or from its cache here ({error}); "
            "give --weights-folder, or other --weights"
        ) from error
