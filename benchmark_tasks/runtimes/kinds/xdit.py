"""xDiT (the package `xfuser`): image and video models spread over GPUs, one process per GPU."""

from __future__ import annotations

from benchmark_tasks.runtimes.installer import Distribution
from benchmark_tasks.runtimes.kinds.contract import ProcessContract, RuntimeKind
from benchmark_tasks.runtimes.kinds.diffusers import install
from benchmark_tasks.vocabulary import Architecture


def launcher(num_gpus: int) -> tuple[str, ...]:
    """torchrun starts the program once per GPU."""
    return ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={max(num_gpus, 1)}")


RUNTIME = RuntimeKind(
    name="xdit",
    title="xDiT",
    contract=ProcessContract(launcher),
    architectures=frozenset({Architecture.DIFFUSION}),
    distributions={"xfuser": Distribution("xfuser", install, needs_gpu_to_import=True)},
    cfg_parallel=True,
)
