"""Environment variables of the process that is measured: an allow-list, and what a sweep asks for.

One rule: of this process's variables a runtime gets those that say where things are (`PLACES`), those that
its kind declares (`cache_variables`), and nothing else. What its kind sets itself and what the sweep asks for
(`server_environment`) come on top. Everything that it gets stands in the record, but for places and secrets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from benchmark_tasks.host.device_lock import MARK
from benchmark_tasks.host.secrets import is_secret
from benchmark_tasks.meters.vendors import VENDORS, vendor_here
from benchmark_tasks.processes import PLATFORM_MARK, PROXIES, beside_proxies
from benchmark_tasks.runtimes import kinds
from benchmark_tasks.runtimes.kinds import MOCK, Setup, kind_of
from benchmark_tasks.vocabulary import Weights

PLACES = frozenset(
    [
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
        *("CC", "CXX"),
        *(name for vendor in VENDORS for name in vendor.place_variables),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "TRANSFORMERS_CACHE"),
        *("TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"),
    ]
)
"""Where programs, files, caches and certificates are: no figure depends on it."""

RECORDED = frozenset(
    [
        *("LANG", "LANGUAGE", "LD_LIBRARY_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
        *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"),  # without them some processors compute wrong results
    ]
)
"""Passed on like places, and recorded."""

_OWNER = frozenset(["JOULEBOARD_HOME", PLATFORM_MARK])
"""Whose process it is: by these `make down` finds a server that was left behind."""

_HUB = frozenset(["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", *PROXIES])
"""Only for what loads real weights from the model hub."""

_MOCK = frozenset(["JOULEBOARD_MOCK_FAULT", "JOULEBOARD_MOCK_FITS", "JOULEBOARD_MOCK_SLEEP_MS"])

_TELLING = (
    *(beginning for vendor in VENDORS for beginning in vendor.changing_variables),
    *("GLOO_", "TORCH", "PYTORCH_", "TRITON_", "XFORMERS_", "FLASHINFER_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "LD_PRELOAD", "MALLOC_"),
)
"""How the names of variables begin that would change what any runtime does; its own begin with its name."""

_SAYS_NOTHING = frozenset(["CUDA_VERSION", "NCCL_VERSION", "TORCH_CUDA_ARCH_LIST"])
"""What images carry to describe themselves."""


def runtime_variables(
    setup: Setup,
    own: Mapping[str, str],
    gpu_indices: Sequence[int],
    lock_mark: str,
    ours: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """All environment variables of a runtime's process.

    own: what its kind and its environment set. ours: this process's.
    gpu_indices: the GPUs that it sees, by the driver's indices; without any it sees none.
    """
    vendor = vendor_here()
    inherited = {name: value for name, value in ours.items() if _passes(name, setup)}
    return {
        **beside_proxies(inherited),
        **own,
        **setup.server_environment,
        **vendor.order_variables,
        vendor.visible_variable: ",".join(str(index) for index in gpu_indices),
        MARK: lock_mark,
    }


def require_askable(variables: Mapping[str, str]) -> None:
    """Refuse variables that nobody may ask for.

    Raises:
        ValueError: a secret, which would stand in the record; what decides where it runs; or no name.
    """
    vendor = vendor_here()
    decided = {*PLACES, *_OWNER, *_HUB, *vendor.order_variables, vendor.visible_variable, MARK, "PYTHONPATH"}
    for name in variables:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is not a name of an environment variable")
        if is_secret(name):
            raise ValueError(f"{name} has the name of a secret, and would be recorded")
        if name in decided:
            raise ValueError(f"{name} is decided by the measurement or by the machine, not by a sweep")


def recorded(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a runtime's process as its runs record them: without places, secrets and our mark."""
    caches = {name for kind in kinds.all_kinds() for name in kind.cache_variables}
    silent = {*PLACES, *_HUB, *_MOCK, *_OWNER, *caches, MARK, "PYTHONPATH", "NO_PROXY", "no_proxy"}
    return {name: variables[name] for name in sorted(variables) if name not in silent}


def left_out(setup: Setup, ours: Mapping[str, str] = os.environ) -> list[str]:
    """Names of this process's variables that would change what a runtime does, and that it does not get."""
    kind = kind_of(setup.runtime)
    vendor = vendor_here()
    given = {*kind.sets(setup), *setup.server_environment, vendor.visible_variable, *_SAYS_NOTHING}
    given |= {name for name, value in vendor.order_variables.items() if ours.get(name) == value}
    own = tuple(f"{name.upper()}_" for name in kinds.names())
    telling = (name for name in ours if name.startswith((*own, *_TELLING)))
    return sorted(name for name in telling if name not in given and not _passes(name, setup))


def _passes(name: str, setup: Setup) -> bool:
    return (
        name in PLACES
        or name in _OWNER
        or name in RECORDED
        or name.startswith("LC_")
        or name in kind_of(setup.runtime).cache_variables
        or (name in _HUB and setup.weights is Weights.REAL and not setup.weights_folder)
        or (name in _MOCK and setup.distribution == MOCK)
    )
