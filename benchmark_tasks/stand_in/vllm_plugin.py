"""Gives vLLM weights that are drawn while it loads them: `--load-format stand-in`, no disk, no hub.

vLLM calls `register` in every process (entry point group `vllm.general_plugins`). Its own loaders of the
model fuse, shard and check what comes; each rank draws whole tensors and keeps its share, so that the
number of GPUs changes nothing. Options travel as `--model-loader-extra-config '{"kind": "stand-in.1",
"seed": 0}'`.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Generator, Mapping
from typing import Any

import torch

from .checkpoint import weights_of
from .recipe import Account, Kind, Recipe
from .support import OF_DRAFT, report_line

LOAD_FORMAT = "stand-in"


def recipe_of(options: Mapping[str, Any]) -> Recipe:
    """The recipe that the loader's options ask for.

    Raises:
        ValueError: an option that there is not.
    """
    known = {field.name for field in dataclasses.fields(Recipe)}
    if unknown := set(options) - known:
        raise ValueError(f"the stand-in has no options {sorted(unknown)}; there are {sorted(known)}")
    return Recipe(**{**options, "kind": Kind(options.get("kind", Kind.STAND_IN))})


def is_draft(model_config: Any) -> bool:
    """Whether vLLM's `ModelConfig` is of a model that only proposes tokens (speculative decoding)."""
    return bool(model_config.runner_type == "draft")


def _report(
    recipe: Recipe, account: Account, device: torch.device, seconds: float, *, of_draft: bool
) -> None:
    """One line to the log of the server, whatever its level of logging is.

    of_draft: the weights are those of a draft model, which proposes tokens to the model that is served.
    """
    facts = {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "digest": account.digest,
        "tensors": account.tensors,
        "values": account.values,
        "device": device.type,
        "seconds": round(seconds, 3),
    } | ({OF_DRAFT: True} if of_draft else {})
    sys.stderr.write(report_line(facts) + "\n")
    sys.stderr.flush()


def register() -> None:
    """Add the load format; vLLM may call this several times in one process."""
    from vllm.model_executor.model_loader import register_model_loader
    from vllm.model_executor.model_loader.default_loader import DefaultModelLoader

    class StandInLoader(DefaultModelLoader):
        """The default loader, which reads no files."""

        def __init__(self, load_config: Any) -> None:
            self._recipe = recipe_of(load_config.model_loader_extra_config or {})
            super().__init__(dataclasses.replace(load_config, model_loader_extra_config={}))

        def download_model(self, model_config: Any) -> None:
            """There is nothing to download."""

        def get_all_weights(
            self, model_config: Any, model: torch.nn.Module
        ) -> Generator[tuple[str, torch.Tensor], None, None]:
            """What the checkpoint would hold."""
            started, account = time.perf_counter(), Account()
            device = next(model.parameters()).device
            self.counter_before_loading_weights = started
            for name, tensor in weights_of(
                model_config.hf_config, self._recipe, device=device, dtype=model_config.dtype
            ):
                account.add(name, tensor)
                yield name, tensor
            seconds = time.perf_counter() - started
            _report(self._recipe, account, device, seconds, of_draft=is_draft(model_config))

    register_model_loader(LOAD_FORMAT)(StandInLoader)
