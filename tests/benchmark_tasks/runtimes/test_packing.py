"""Runtimes in one archive for a host without network: what it lacks, for its GPUs, each file once."""

from __future__ import annotations

import struct
import subprocess
import tarfile
from pathlib import Path

import pytest

from benchmark_tasks.errors import EnvironmentBuildError, SettingsError
from benchmark_tasks.runtimes.packing import overwrite_other_generations, pack
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex

PTX, CUBIN = 1, 2


def container(*kernels: tuple[int, int, bytes]) -> bytes:
    """A container of kernels as CUDA's compiler writes it: kind, generation and content of each."""
    entries = b"".join(
        struct.pack("<HHIQIIHHI", kind, 0x101, 64, len(content), 0, 0, 0, 8, generation).ljust(64, b"\0")
        + content
        for kind, generation, content in kernels
    )
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(entries)) + entries


def left(library: bytes, *contents: bytes, generation: int = 90) -> list[bool]:
    """Which of the contents are still in a library after overwriting what a generation cannot load."""
    changed = bytearray(library)
    overwrite_other_generations(changed, generation)
    assert len(changed) == len(library)
    return [content in changed for content in contents]


def test_kernels_of_other_generations_are_overwritten() -> None:
    library = b"code" * 9 + container((CUBIN, 80, b"ampere"), (CUBIN, 90, b"hopper"), (PTX, 90, b"portable"))
    assert left(library, b"ampere", b"hopper", b"portable", b"code" * 9) == [False, True, False, True]


def test_without_machine_code_of_its_own_a_gpu_keeps_portable_code_that_it_can_compile() -> None:
    library = (
        container((CUBIN, 80, b"ampere"), (PTX, 80, b"older")) + b"x" * 8 + container((PTX, 100, b"newer"))
    )
    assert left(library, b"ampere", b"older", b"newer") == [False, True, False]


def test_machine_code_of_the_same_first_number_is_kept() -> None:
    library = container((CUBIN, 80, b"8.0"), (CUBIN, 86, b"8.6"), (CUBIN, 90, b"9.0"), (PTX, 80, b"portable"))
    assert left(library, b"8.0", b"8.6", b"9.0", b"portable", generation=86) == [True, True, False, False]
    assert left(library, b"8.0", b"8.6", b"9.0", b"portable", generation=80) == [True, False, False, False]


@pytest.mark.parametrize("cut", [3, 12, 20, 60, 90])
def test_what_only_looks_like_a_container_is_left_as_it_is(cut: int) -> None:
    library = container((CUBIN, 80, b"ampere" * 5))[:cut]
    changed = bytearray(library)
    assert overwrite_other_generations(changed, 90) == 0
    assert changed == library


@pytest.fixture
def settings(package_index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An index with two releases of a runtime that share a part and need another that hosts may have."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("UV_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for version in ("2.0", "2.1"):
        package_index.add_wheel("tiny-part", version)
        package_index.add_wheel("large-part", version)
    package_index.add_wheel("tiny", "1.0", "tiny-part", "large-part", "tilelang")
    package_index.add_wheel("tiny", "1.1", "tiny-part", "large-part>2.0")
    return Settings(home=tmp_path / "home", index_url=package_index.url)


def packed(settings: Settings, folder: Path, *runtimes: str, part_bytes: int = 10**9) -> list[Path]:
    """Pack for a host that has one version of the large part, with a name of its build."""
    host = {"Large_Part": "2.0+cu130", "other": "1"}
    return pack(runtimes, folder, settings, host=host, python="3.12", capability="9.0", part_bytes=part_bytes)


def test_each_runtime_has_a_folder_with_what_the_host_lacks(settings: Settings, tmp_path: Path) -> None:
    [archive] = packed(settings, tmp_path / "out", "tiny==1.0", "tiny==1.1")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "host", filter="tar")
    there = {
        str(path.relative_to(tmp_path / "host").parent) for path in (tmp_path / "host").rglob("METADATA")
    }
    assert there == {
        "1.0/tiny-1.0.dist-info",
        "1.0/tiny_part-2.1.dist-info",
        "1.1/tiny-1.1.dist-info",
        "1.1/tiny_part-2.1.dist-info",
        "1.1/large_part-2.1.dist-info",
    }


def test_equal_files_are_packed_once(settings: Settings, tmp_path: Path) -> None:
    [archive] = packed(settings, tmp_path / "out", "tiny==1.0", "tiny==1.1")
    with tarfile.open(archive) as tar:
        metadata = [member for member in tar if member.name.endswith("tiny_part-2.1.dist-info/METADATA")]
    assert sorted(member.islnk() for member in metadata) == [False, True]


def test_parts_join_to_the_archive_and_replace_those_of_before(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = packed(settings, out, "tiny==1.0", "tiny==1.1", part_bytes=300)
    parts = packed(settings, out, "tiny==1.0", part_bytes=400)
    assert len(first) > len(parts) > 1
    assert sorted(out.iterdir()) == parts
    joined = b"".join(part.read_bytes() for part in parts)
    listed = subprocess.run(["tar", "-tJ"], input=joined, capture_output=True, check=True)
    assert b"1.0/tiny-1.0.dist-info/METADATA" in listed.stdout


@pytest.mark.parametrize(
    "runtimes", [("tiny",), ("tiny=1.0",), ("tiny>=1.0",), ("tiny==1.*",), ("tiny==1.0", "other==1.0")]
)
def test_a_folder_is_named_by_one_version(
    settings: Settings, tmp_path: Path, runtimes: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError):
        packed(settings, tmp_path / "out", *runtimes)


def test_a_release_that_the_index_does_not_have_is_one_line(settings: Settings, tmp_path: Path) -> None:
    before = packed(settings, tmp_path / "out", "tiny==1.0")
    with pytest.raises(EnvironmentBuildError, match=r"tiny==9\.0") as raised:
        packed(settings, tmp_path / "out", "tiny==9.0")
    assert "\n" not in str(raised.value)
    assert sorted((tmp_path / "out").glob("runtimes*")) == before


@pytest.mark.parametrize("capability", ["9", "sm_90", "9.0a", ""])
def test_a_capability_has_two_numbers(settings: Settings, tmp_path: Path, capability: str) -> None:
    with pytest.raises(SettingsError, match=r"9\.0"):
        pack(["tiny==1.0"], tmp_path, settings, host={}, python="3.12", capability=capability, part_bytes=1)
