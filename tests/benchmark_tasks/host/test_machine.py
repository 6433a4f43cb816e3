"""The GPUs of a machine, by their names in the catalog."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.host import machine
from benchmark_tasks.host.machine import Machine, this_machine

CATALOG = load()


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretends that the driver reports these GPUs."""
    return lambda *names: monkeypatch.setattr(machine, "gpu_names", lambda: list(names))


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
        (["NVIDIA H200", "NVIDIA B200"], None, "mixes NVIDIA B200 and NVIDIA H200"),
    ],
)
def test_another_machine_than_wanted_is_said(
    has: Callable[..., None], names: list[str], wanted: str | None, message: str
) -> None:
    has(*names)
    with pytest.raises(CatalogError, match=message):
        this_machine(CATALOG, wanted)


@pytest.mark.parametrize(
    ("visible", "left"),
    [
        (None, ["a", "b", "c"]),
        ("", []),
        ("2", ["c"]),
        ("2,0", ["c", "a"]),
        ("7", []),
        ("GPU-1,GPU-2", ["a", "b"]),
    ],
)
def test_cuda_visible_devices_says_which_are_ours(visible: str | None, left: list[str]) -> None:
    assert machine._visible(["a", "b", "c"], visible) == left
