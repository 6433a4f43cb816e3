"""Limits of the operating system are raised, refused or said before a load meets them."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.host import limits
from benchmark_tasks.host.limits import Need, raise_limits, require_limits, shortages


@pytest.fixture(autouse=True)
def roomy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[int, int]]:
    """A machine with generous limits; the soft and hard ones of this process, by resource."""
    ports = tmp_path / "ports"
    ports.write_text("32768\t60999\n")
    monkeypatch.setattr(limits, "PORT_RANGE", ports)
    monkeypatch.setattr(limits, "CGROUP_THREADS", tmp_path / "none")
    monkeypatch.setattr(limits, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    now = dict.fromkeys((resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC), (1024, 1048576))
    now[resource.RLIMIT_MEMLOCK] = (65_536, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", now.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", now.__setitem__)
    return now


def test_soft_limits_are_raised_as_far_as_they_may(roomy: dict[int, tuple[int, int]]) -> None:
    raise_limits()
    assert roomy[resource.RLIMIT_NOFILE] == (65_536, 1_048_576)
    assert roomy[resource.RLIMIT_NPROC] == (1_048_576, 1_048_576)
    assert roomy[resource.RLIMIT_MEMLOCK] == (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    roomy[resource.RLIMIT_NOFILE] = (100_000, 200_000)
    raise_limits()
    assert roomy[resource.RLIMIT_NOFILE] == (100_000, 200_000), "never lowered"


def test_what_the_catalogs_largest_load_needs_is_there() -> None:
    assert require_limits(Need(connections=2048, num_gpus=8)) == []


def test_too_few_open_files_are_refused_by_the_batch_size(roomy: dict[int, tuple[int, int]]) -> None:
    roomy[resource.RLIMIT_NOFILE] = (1024, 2048)
    assert require_limits(Need(connections=1536)) == []
    with pytest.raises(SettingsError, match=r"1537 requests in flight need 2049 open files.*is 2048: raise"):
        require_limits(Need(connections=1537))


def test_too_few_ports_are_refused_or_said(tmp_path: Path) -> None:
    (tmp_path / "ports").write_text("50000 50999")
    assert require_limits(Need(connections=500)) == []
    assert "need 1400 local ports, and there are 1000" in require_limits(Need(connections=700))[0]
    with pytest.raises(SettingsError, match=r"ip_local_port_range"):
        require_limits(Need(connections=1001))


def test_few_threads_are_said(tmp_path: Path, roomy: dict[int, tuple[int, int]]) -> None:
    roomy[resource.RLIMIT_NPROC] = (512, 512)
    assert "768 threads, and ulimit -Hu is 512" in require_limits(Need(0, num_gpus=1))[0]
    roomy[resource.RLIMIT_NPROC] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert shortages(Need(0, num_gpus=1)) == []
    (tmp_path / "none").write_text("600\n")
    assert "pids.max of the control group is 600" in require_limits(Need(0, num_gpus=1))[0]
    (tmp_path / "none").write_text("max\n")
    assert shortages(Need(0, num_gpus=1)) == []


def test_little_shared_memory_is_said_where_processes_share_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small:
        f_bavail, f_frsize = 64, 2**20

    monkeypatch.setattr("os.statvfs", lambda path: Small)
    assert shortages(Need(64, num_gpus=1)) == []
    assert "2 processes may need 512 MiB of shared memory" in require_limits(Need(64, num_gpus=2))[0]
