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
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.results.schema import Gpu, Provenance, StandIn
from benchmark_tasks.vocabulary import ServerKind

SECRET_ENDINGS = ("token", "secret", "password", "api-key")
"""`--hf-token` is a secret, `--max-num-batched-tokens` is none."""


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
        server_arguments=tuple(_without_secret(argument) for argument in server_arguments),
        server_kind=server_kind,
        server_image=server_image,
        server_options=_without_secrets(server_options),
        stand_in=stand_in,
        server_environment={
            name: "***" if _is_secret(name) else value for name, value in server_environment.items()
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


def _without_secret(argument: str) -> str:
    name, separator, _ = argument.partition("=")
    return f"{name}=***" if separator and _is_secret(name) else argument


def _is_secret(name: str) -> bool:
    return name.lower().replace("_", "-").endswith(SECRET_ENDINGS)


def _without_secrets(options: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Options with the values of secret ones hidden, however deep they are."""
    return {
        name: "***" if _is_secret(name) else _without_secrets(value) if isinstance(value, dict) else value
        for name, value in options.items()
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
