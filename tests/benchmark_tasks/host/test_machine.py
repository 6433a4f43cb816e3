"""The GPUs of a machine, by their names in the catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pynvml
import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import CatalogError, MeterError, SettingsError
from benchmark_tasks.host import machine
from benchmark_tasks.host.machine import (
    Machine,
    instruments,
    this_machine,
    usable_indices,
    usable_uuids,
    visible_indices,
)
from benchmark_tasks.meters import nvml as nvml_module
from benchmark_tasks.meters.vendor import Driver
from benchmark_tasks.testing.nvml import (
    LOST,
    MISMATCH,
    NO_PERMISSION,
    NOT_LOADED,
    VGPU_HOST,
    MadeUpGpu,
    MadeUpNvml,
    uuid_of,
)

CATALOG = load()


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretends that the driver reports these GPUs."""
    return lambda *names: monkeypatch.setattr(machine, "measurable_names", lambda: list(names))


def test_without_a_driver_there_is_only_the_cpu(has: Callable[..., None]) -> None:
    has()
    assert this_machine(CATALOG) == Machine("none", 0)
    assert not this_machine(CATALOG).has_gpu


def test_gpus_are_counted_under_their_catalog_name(has: Callable[..., None]) -> None:
    has("NVIDIA H200", "NVIDIA H200")
    assert this_machine(CATALOG) == this_machine(CATALOG, "H200") == Machine("H200", 2)
    assert this_machine(CATALOG, "none") == Machine("none", 0)


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        ([], "H200", "has GPU none, not H200"),
        (["NVIDIA H200"], "B200", "has GPU H200, not B200"),
        (["NVIDIA T1000"], None, "NVIDIA T1000 is not in the catalog: add it"),
        (["NVIDIA H200", "NVIDIA B200"], None, "has NVIDIA B200 and NVIDIA H200"),
    ],
)
def test_another_machine_than_wanted_is_said(
    has: Callable[..., None], names: list[str], wanted: str | None, message: str
) -> None:
    has(*names)
    with pytest.raises(CatalogError, match=message):
        this_machine(CATALOG, wanted)


UUIDS = [uuid_of(index) for index in range(3)]


@pytest.mark.parametrize(
    ("visible", "left"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("2", [2]),
        (" 2 , 0 ", [2, 0]),
        ("1,-1,2", [1]),
        (UUIDS[1], [1]),
        (f"{UUIDS[2][:12]},0", [2, 0]),
        (UUIDS[1].lower()[:14], [1]),
    ],
)
def test_cuda_visible_devices_says_which_are_ours(
    nvml: MadeUpNvml, visible: str | None, left: list[int]
) -> None:
    nvml.answer([MadeUpGpu()] * 3)
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert [gpu.index for gpu in instruments(environment).gpus] == left
    assert visible_indices(environment) == (None if visible is None else tuple(left))


@pytest.mark.parametrize(
    ("visible", "message"),
    [
        ("0,7", "there is no GPU 7; GPUs 0 to 2 are here"),
        ("1,1", "names GPU 1 twice"),
        (f"1,{UUIDS[1]}", "names GPU 1 twice"),
        ("all", "there is no GPU all"),
        ("GPU-", "there is no GPU GPU-"),
        ("-2", "there is no GPU -2"),
        ("GPU-0000", "UUIDs of 3 GPUs begin with it"),
        ("MIG-8a1b1c1d-0000-4000-8000-000000000000", "names a MIG slice"),
        ("MIG-GPU-8a1b/1/0", "names a MIG slice"),
        ("GPU-ffff", "there is no GPU GPU-ffff"),
    ],
)
def test_a_gpu_that_is_not_here_is_named(nvml: MadeUpNvml, visible: str, message: str) -> None:
    nvml.answer([MadeUpGpu()] * 3)
    with pytest.raises(SettingsError, match=message):
        instruments({"CUDA_VISIBLE_DEVICES": visible})


def test_gpus_that_may_be_used_and_measured_have_their_uuids(
    nvml: MadeUpNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.answer([MadeUpGpu(), MadeUpGpu(), MadeUpGpu(mig=True)])
    assert usable_uuids() == {uuid_of(0): 0, uuid_of(1): 1}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert usable_uuids() == {uuid_of(1): 1}
    nvml.answer([])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert usable_uuids() == {}


@pytest.mark.parametrize(
    "lost", [MadeUpGpu(errors={"nvmlDeviceGetHandleByIndex_v2": LOST}), MadeUpGpu(mig=True)]
)
def test_behind_a_gpu_that_cuda_may_leave_out_no_number_is_sure(
    nvml: MadeUpNvml, monkeypatch: pytest.MonkeyPatch, lost: MadeUpGpu
) -> None:
    nvml.answer([lost if index == 3 else MadeUpGpu() for index in range(8)])
    assert this_machine(CATALOG) == Machine("H100", 3)
    assert usable_indices() == (0, 1, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,2")
    assert usable_indices() == (2,)
    for behind in ("4", uuid_of(4)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", behind)
        with pytest.raises(MeterError, match=r"GPU 4 .*may leave out GPU 3"):
            this_machine(CATALOG)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(MeterError, match=r"GPU 3.*: (it cannot be used: GPU is lost|MIG is enabled)"):
        this_machine(CATALOG)


def test_a_lost_gpu_at_the_end_leaves_the_others_their_numbers(nvml: MadeUpNvml) -> None:
    lost = MadeUpGpu(errors={"nvmlDeviceGetHandleByIndex_v2": LOST})
    nvml.answer([*[MadeUpGpu()] * 7, lost])
    assert usable_indices() == tuple(range(7))


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({"nvmlInitWithFlags": MISMATCH}, "driver cannot be used: nvmlInit: .*mismatch.*reboot"),
        ({"nvmlInitWithFlags": NOT_LOADED}, "driver cannot be used: nvmlInit: .*not.*loaded"),
        ({"nvmlInitWithFlags": NO_PERMISSION}, "let this user open /dev/nvidia"),
        ({"nvmlInitWithFlags": 999}, "driver cannot be used: nvmlInit"),
        ({"nvmlDeviceGetCount_v2": 999}, "driver cannot be used: nvmlDeviceGetCount"),
    ],
)
def test_a_driver_that_does_not_work_is_not_no_gpu(
    nvml: MadeUpNvml, errors: dict[str, int], message: str
) -> None:
    nvml.answer([MadeUpGpu()], errors)
    with pytest.raises(MeterError, match=f"(?i){message}"):
        this_machine(CATALOG)
    with pytest.raises(MeterError, match=f"(?i){message}"):
        usable_indices(at_least=1)
    assert this_machine(CATALOG, "none") == Machine("none", 0), "asked for, the CPU needs no driver"


def test_a_device_without_the_drivers_library_is_not_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pynvml.nvmlInit", raising_library_not_found)
    monkeypatch.setattr(nvml_module, "DEVICE_FILES", tmp_path)
    assert nvml_module.driver() == Driver()
    (tmp_path / "nvidiactl").touch()
    assert nvml_module.driver() == Driver()
    (tmp_path / "nvidia0").touch()
    assert "nvidia0 exists, but the driver's library does not" in str(nvml_module.driver().problem)


def raising_library_not_found() -> None:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)


@pytest.mark.parametrize("shared", [MadeUpGpu(mig=True), MadeUpGpu(virtualization=VGPU_HOST)])
def test_a_gpu_whose_counter_counts_others_is_refused(nvml: MadeUpNvml, shared: MadeUpGpu) -> None:
    nvml.answer([MadeUpGpu(), shared])
    assert usable_indices() == (0,)
    nvml.answer([shared])
    with pytest.raises(MeterError, match=r"GPU 0 \(NVIDIA H100 80GB HBM3\): .*energy counter counts"):
        this_machine(CATALOG)
