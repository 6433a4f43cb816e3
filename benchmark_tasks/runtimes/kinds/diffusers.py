"""Diffusers as it is: image and video models on one GPU, or on the CPU."""

from __future__ import annotations

from benchmark_tasks.runtimes.installer import Distribution, Installer
from benchmark_tasks.runtimes.kinds.contract import ProcessContract, RuntimeKind
from benchmark_tasks.vocabulary import Architecture

_CPU_TORCH = "2.13.0"
"""The torch that diffusers gets on a machine without a GPU, of the build for CPUs: a tenth of the size."""

_BESIDE = ("transformers", "accelerate", "sentencepiece", "protobuf", "ftfy", "beautifulsoup4")
"""What its pipelines import and it does not ask for."""


def install(installer: Installer, wanted: str) -> None:
    """For the GPU that is here; without one, beside a CPU build of torch."""
    if installer.has_gpu:
        installer.uv_pip("install", wanted, *_BESIDE, "torch", "--torch-backend", "auto")
        return
    torch = f"torch=={_CPU_TORCH}+cpu"
    installer.uv_pip("install", wanted, *_BESIDE, torch, *installer.cpu_torch(torch))


RUNTIME = RuntimeKind(
    name="diffusers",
    title="diffusers",
    contract=ProcessContract(launcher=lambda num_gpus: ()),
    architectures=frozenset({Architecture.DIFFUSION}),
    distributions={"diffusers": Distribution("diffusers", install)},
    maximum_gpus=1,
)
