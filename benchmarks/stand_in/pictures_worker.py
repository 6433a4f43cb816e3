"""What a pipeline computes with under one kind of weights; run by the interpreter of a runtime's environment.

    python pictures_worker.py PROGRAM_FOLDER JOB.json BATCH_SIZE

Prints one JSON object. The pipeline is that of `diffusion/program/generate.py`, unchanged.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch


def spread(tensor: torch.Tensor) -> dict[str, float]:
    """Root mean square, how much of it differs from place to place, and the share of NaN and infinity."""
    values = tensor.detach().float()
    finite = values[torch.isfinite(values)]
    if finite.numel() == 0:
        return {"rms": float("nan"), "between_places": float("nan"), "not_finite": 1.0}
    flat = torch.nan_to_num(values).reshape(values.shape[0], values.shape[1], -1)
    return {
        "rms": float(finite.square().mean().sqrt()),
        "between_places": float(flat.std(dim=2).mean()),
        "not_finite": 1 - finite.numel() / values.numel(),
    }


class Watch:
    """Forward hooks on the transformer and the decoder."""

    def __init__(self, pipe: Any) -> None:
        self.latents: list[dict[str, float]] = []
        self.predictions: list[dict[str, float]] = []
        self.decoded: list[dict[str, float]] = []
        pipe.transformer.register_forward_hook(self._step, with_kwargs=True)
        pipe.vae.decoder.register_forward_hook(self._picture)

    def _step(self, module: Any, args: Any, kwargs: dict[str, Any], output: Any) -> None:  # noqa: ARG002
        latent = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        prediction = output[0] if isinstance(output, tuple) else output.sample
        self.latents.append(spread(latent))
        self.predictions.append(spread(prediction))

    def _picture(self, module: Any, args: Any, output: Any) -> None:  # noqa: ARG002
        cut_off = float((output.detach().float().abs() > 1).float().mean())
        self.decoded.append({**spread(output), "cut_off": cut_off})


def main(program: Path, job: Path, batch_size: int) -> None:
    """Two batches: the first to warm up, the second is told."""
    sys.path.insert(0, str(program))
    generate: Any = importlib.import_module("generate")

    facts = json.loads(job.read_text())
    torch.manual_seed(facts["seed"])
    ranks = generate.Ranks(facts)
    kind = generate.XditPipeline if facts["runtime"] == "xdit" else generate.DiffusersPipeline
    pipeline = kind(facts, ranks)
    pipeline(batch_size, 0)
    watch = Watch(getattr(pipeline.pipe, "module", pipeline.pipe))
    begin = ranks.synchronise()
    pipeline(batch_size, 1)
    seconds = (ranks.synchronise() - begin) / 1e9
    steps = watch.latents
    told = {
        "weights": facts["weights"],
        "batch_size": batch_size,
        "seconds": seconds,
        "first_latents": steps[0],
        "last_latents": steps[-1],
        "first_prediction": watch.predictions[0],
        "last_prediction": watch.predictions[-1],
        "decoded": watch.decoded[-1] if watch.decoded else None,
        "drawn": pipeline.drawn,
        "at": time.time(),
    }
    print(json.dumps(told))
    ranks.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
