"""Files of a model from the hub, before a server needs them.

Otherwise the server fetches them while it starts: its time and energy would count the transfer, a slow one
ends with "never healthy", and what the hub refuses stands somewhere in a log.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from benchmark_tasks.catalog import Model
from benchmark_tasks.errors import CatalogError, HubRefused, IndexUnreachable
from benchmark_tasks.runtimes.hub_cache import cache_folder, cached_snapshot
from benchmark_tasks.runtimes.weights_folder import require_complete
from benchmark_tasks.settings import Settings


def fetch_model(
    model: Model, settings: Settings, say: Callable[[str], None], *, small: bool = False
) -> Path | None:
    """The folder with a model's files at its revision, in the cache of the hub's client.

    Where the hub does not answer or refuses, a whole copy in the cache does. `None` on a host without the
    hub's client: the server, which has one, fetches them itself.

    Args:
        small: only what is not weights, such as the tokenizer.

    Raises:
        CatalogError: only a part of the model is in the cache, and the hub does not give the rest.
        HubRefused, IndexUnreachable: nothing is in the cache, and the hub does not give it.
        DiskFull: no room for it.
    """
    revision = model.revision or "main"
    cached = cached_snapshot(model.model_id, revision)
    if find_spec("huggingface_hub") is None:
        return cached
    from benchmark_tasks.releases.hub import Hub

    try:
        hub = Hub(settings)
        return hub.download(hub.repository(model.model_id, revision), cache_folder(), small=small, say=say)
    except (HubRefused, IndexUnreachable) as error:
        if cached is None:
            raise
        if not small:
            _require_whole(model.model_id, cached, error)
        say(f"weights: {model.model_id} from the hub's cache on this machine ({error})")
        return cached


def _require_whole(model_id: str, folder: Path, refusal: Exception) -> None:
    try:
        require_complete(folder)
    except CatalogError as error:
        raise CatalogError(
            f"{model_id}: only a part is in the hub's cache ({error}), and the rest cannot be had: {refusal}"
        ) from error
