"""What the factor matrix asks of a running vLLM worker (`--worker-extension-cls`).

Weights are written anew into the memory they are in already: the same server, graphs, caches and
addresses serve every kind of weights, so that nothing but values differs between two measurements.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmark_tasks.stand_in.recipe import Architecture, Kind, Recipe, digest_of
from benchmarks.stand_in.kernel import milliseconds

TEMPERATURE, TOP_P = 0.8, 0.95
_KEPT_CALLS = 6
_KEPT_KERNELS = 60


class WeightsWorker:
    """Mixed into vLLM's worker. Nothing here may run while a request is served, but for watching."""

    model_runner: Any

    def weights_fill(self, kind: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write weights of a kind: `vllm-dummy`, `normal`, the recipe's version, or `folder`."""
        started = time.perf_counter()
        model, options = self.model_runner.get_model(), options or {}
        with torch.inference_mode():
            if kind == "vllm-dummy":
                _fill_as_vllm(model)
            elif kind == "folder":
                _fill_from_folder(model, Path(options["folder"]))
            else:
                self._fill_by_recipe(model, Recipe(Kind(kind), **options))
        _synchronize()
        return {"kind": kind, "seconds": time.perf_counter() - started, **self.weights_told()}

    def weights_told(self) -> dict[str, Any]:
        """A digest of the weights as they lie in memory, how many are zero, and how large they are."""
        model = self.model_runner.get_model()
        with torch.inference_mode():
            return {
                "digest": digest_of(model.named_parameters()),
                "share_of_zeros": _share_of_zeros(model),
                "rms": _rms(model),
                "runner": type(self.model_runner).__module__,
            }

    def _fill_by_recipe(self, model: torch.nn.Module, recipe: Recipe) -> None:
        config = self.model_runner.vllm_config.model_config.hf_config.to_dict()
        architecture = Architecture.of(config)
        for name, parameter in model.named_parameters():
            if not parameter.dtype.is_floating_point or parameter.element_size() < 2:
                raise ValueError(f"{name} is {parameter.dtype}: only 16 bits and more are written in place")
            recipe.fill(parameter.data, name, architecture)

    def experts_watch(self, rows: int) -> None:
        """From now on count the experts that steps of so many tokens choose."""
        config = self.model_runner.vllm_config.model_config.hf_config.get_text_config()
        self._experts = _Experts(self.model_runner.get_model(), int(rows), int(config.num_experts_per_tok))

    def experts_told(self) -> dict[str, Any]:
        """Stop counting, and say what was counted."""
        return self._experts.told()

    def logits_watch(self) -> None:
        """From now on keep the logits of the latest steps."""
        model = self.model_runner.get_model()
        self._watched: list[torch.Tensor] = []
        original = type(model).compute_logits

        def watching(*arguments: Any, **named: Any) -> Any:
            logits = original(model, *arguments, **named)
            if logits is not None and logits.shape[0] > 1:
                self._watched = [*self._watched[1 - _KEPT_CALLS :], logits.clone()]
            return logits

        model.compute_logits = watching

    def logits_told(self) -> dict[str, Any]:
        """Stop keeping logits; what those kept look like, and what the top-p kernel takes for them."""
        del self.model_runner.get_model().compute_logits
        kept, self._watched = self._watched, []
        with torch.inference_mode():
            return {"calls": len(kept), "steps": [_told(logits) for logits in kept]}

    def kernels_watch(self) -> None:
        """From now on count kernels and their time."""
        self._profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
        self._profile.start()
        self._profiled_from = time.perf_counter()

    def kernels_told(self) -> dict[str, Any]:
        """Stop counting: calls and microseconds of each kernel."""
        _synchronize()
        seconds = time.perf_counter() - self._profiled_from
        self._profile.stop()
        rows = [
            [event.key[:120], int(event.count), float(event.self_device_time_total)]
            for event in self._profile.key_averages()
            if event.self_device_time_total > 0
        ]
        rows.sort(key=lambda row: -float(row[2]))
        busy = sum(float(row[2]) for row in rows)
        return {"seconds": seconds, "busy_microseconds": busy, "kernels": rows[:_KEPT_KERNELS]}


class _Experts:
    """Counts which experts the routers choose, on steps of exactly `rows` tokens. Wants an eager model."""

    def __init__(self, model: torch.nn.Module, rows: int, chosen: int) -> None:
        self.hit: dict[str, list[float]] = {}
        self.load: dict[str, torch.Tensor] = {}
        self._rows, self._chosen = rows, chosen
        routers = [(n, m) for n, m in model.named_modules() if n.endswith(("mlp.gate", "router"))]
        self._hooks = [m.register_forward_hook(self._seen(n)) for n, m in routers]

    def _seen(self, name: str) -> Any:
        def hook(_module: torch.nn.Module, _inputs: Any, output: Any) -> None:
            logits = output[0] if isinstance(output, tuple) else output
            if logits.shape[0] != self._rows:
                return
            experts = logits.float().topk(self._chosen, dim=-1).indices.reshape(-1)
            counts = torch.bincount(experts, minlength=logits.shape[-1]).cpu()
            self.hit.setdefault(name, []).append(float((counts > 0).float().mean()))
            self.load[name] = self.load.get(name, torch.zeros_like(counts)) + counts

        return hook

    def told(self) -> dict[str, Any]:
        """Layer by layer, and over all of them."""
        for hook in self._hooks:
            hook.remove()
        layers = {}
        for name, counts in self.load.items():
            ordered = counts.sort(descending=True).values.float()
            shares = ordered / ordered.sum()
            enough = int((shares.cumsum(0) < 0.9).sum()) + 1  # noqa: PLR2004
            layers[name] = {
                "hit": statistics.mean(self.hit[name]),
                "busiest_over_mean": float(ordered[0] / ordered.mean()),
                "experts_for_90_percent": enough / len(ordered),
                "tokens_per_expert": counts.tolist(),
            }
        return {"rows": self._rows, "steps": len(next(iter(self.hit.values()), [])), "layers": layers}


def _synchronize() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def _fill_as_vllm(model: torch.nn.Module) -> None:
    """What `--load-format dummy` does, of parameters only: buffers hold scales that loading has set since."""
    from vllm.model_executor.model_loader.weight_utils import initialize_single_dummy_weight

    for parameter in model.parameters():
        initialize_single_dummy_weight(parameter)


def _fill_from_folder(model: torch.nn.Module, folder: Path) -> None:
    """A checkpoint; where the head is the embedding's, a head of its own gets the same values."""
    from safetensors.torch import load_file

    def tensors() -> Iterator[tuple[str, torch.Tensor]]:
        for file in sorted(folder.glob("*.safetensors")):
            stored = load_file(file, device="cuda")
            yield from stored.items()
            if "lm_head.weight" not in stored and "model.embed_tokens.weight" in stored:
                yield "lm_head.weight", stored["model.embed_tokens.weight"]

    model.load_weights(tensors())


def _share_of_zeros(model: torch.nn.Module) -> float:
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    filled = sum(int((_magnitudes(rows) != 0).sum()) for matrix in matrices for rows in _slices(matrix))
    elements: int = sum(matrix.numel() for matrix in matrices)
    return 1 - filled / max(1, elements)


def _slices(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Some rows at a time: next to a server's cache there is little memory left."""
    yield from tensor.split(max(1, 2**25 * tensor.shape[0] // max(1, tensor.numel())))


def _magnitudes(matrix: torch.Tensor) -> torch.Tensor:
    """What is zero exactly where the matrix is: of 8 bits, all but the sign."""
    return matrix.view(torch.uint8) & 0x7F if matrix.element_size() == 1 else matrix


def _rms(model: torch.nn.Module) -> dict[str, float]:
    """Root mean square of the first layer's and the last parameters, as a check on what was written."""
    parameters = {n: p for n, p in model.named_parameters() if p.element_size() > 1 and p.numel()}
    names = [n for n in parameters if ".layers.0." in n or ".layers." not in n]
    squares = {n: sum(float(rows.float().square().sum()) for rows in _slices(parameters[n])) for n in names}
    return {n: math.sqrt(square / parameters[n].numel()) for n, square in squares.items()}


def _told(logits: torch.Tensor) -> dict[str, Any]:
    """Of one step: distributions at the temperature of the requests, and the kernel's time for them."""
    rows = logits.shape[0]
    scaled = (logits.float() / TEMPERATURE).to(logits.dtype)
    probabilities = torch.softmax(scaled[:256].float(), dim=-1)
    entropy = -(probabilities * probabilities.clamp_min(1e-30).log()).sum(dim=-1)
    ordered = probabilities.sort(dim=-1, descending=True).values
    nucleus = (ordered.cumsum(dim=-1) - ordered < TOP_P).sum(dim=-1).float()
    times = milliseconds(scaled, torch.full((rows,), TOP_P, device=logits.device), copies=6)
    levels = torch.tensor([0.05, 0.5, 0.95], device=logits.device)
    return {
        "rows": rows,
        "dtype": str(logits.dtype),
        "std": float(logits.float().std(dim=-1).mean()),
        "nucleus": [float(q) for q in nucleus.quantile(levels)],
        "nucleus_mean": float(nucleus.mean()),
        "top_probability": [float(q) for q in ordered[:, 0].quantile(levels)],
        "entropy_mean": float(entropy.mean()),
        "distinct_top_tokens": len(scaled.argmax(dim=-1).unique()) / rows,
        "top_p_kernel_ms": statistics.median(times),
    }
