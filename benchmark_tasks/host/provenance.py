"""Where a number comes from: the machine, the software and the code of this very run."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pydantic import JsonValue

from benchmark_tasks import __version__
from benchmark_tasks.host.secrets import arguments_without_secrets, without_secrets
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.results.schema import Gpu, Provenance, StandIn
from benchmark_tasks.vocabulary import ServerKind


def collect(
    *,
    catalog_hash: str,
    model_revision: str | None,
    distribution: str,
    packages: Mapping[str, str],
    server_arguments: Sequence[str],
    gpus: Sequence[Gpu],
    seed: int,
    server_kind: ServerKind = ServerKind.ENVIRONMENT,
    server_image: str | None = None,
    server_options: Mapping[str, JsonValue] = MappingProxyType({}),
    stand_in: StandIn | None = None,
    server_environment: Mapping[str, str] = MappingProxyType({}),
) -> Provenance:
    """Everything known about where this run happens; what cannot be read is `None`."""
    driver, cuda = vendor_here().driver_versions() if gpus else (None, None)
    return Provenance(
        jouleboard_version=__version__,
        git_commit=git_commit(),
        catalog_hash=catalog_hash,
        model_revision=model_revision,
        runtime_distribution=distribution,
        runtime_packages=dict(packages),
        server_arguments=arguments_without_secrets(server_arguments),
        server_kind=server_kind,
        server_image=server_image,
        server_options=without_secrets(server_options),
        stand_in=stand_in,
        server_environment={
            name: str(value) for name, value in without_secrets(dict(server_environment)).items()
        },
        host=platform.node() or "unknown",
        operating_system=platform.platform(),
        cpu_model=_cpu_model(),
        cpu_count=os.cpu_count() or 1,
        python_version=platform.python_version(),
        driver_version=driver,
        cuda_version=cuda,
        gpus=tuple(gpus),
        seed=seed,
    )


def git_commit() -> str | None:
    """Commit of this source tree, `-dirty` when it was changed; `None` outside a repository.

    `JOULEBOARD_GIT_COMMIT` stands in where the code travels without its repository.
    """
    told = os.environ.get("JOULEBOARD_GIT_COMMIT")
    if told:
        return told
    root = Path(__file__).parents[2]
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
