"""Files are replaced whole and privately where asked; a lock is waited for, refused, or freed by death."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from benchmark_tasks import disk
from benchmark_tasks.errors import GpuBusy


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.json"
    disk.replace(path, "old")
    disk.replace(path, "new", durable=False)
    assert path.read_text() == "new"
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("readable by all")
    path.chmod(0o644)
    disk.replace(path, "secret", mode=disk.PRIVATE)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_exists_is_not_created_again(tmp_path: Path) -> None:
    path = tmp_path / "once"
    assert disk.create(path, "first")
    assert not disk.create(path, "second")
    assert path.read_text() == "first"


def test_a_link_is_switched(tmp_path: Path) -> None:
    link = tmp_path / "current"
    for target in ("1", "2"):
        disk.switch_link(link, target)
        assert str(link.readlink()) == target
    assert [entry.name for entry in tmp_path.iterdir()] == ["current"]


def test_whoever_finds_a_lock_held_is_told_by_whom(tmp_path: Path) -> None:
    path, waits = tmp_path / "a.lock", []
    with disk.lock(path, note="pid 1 (first)"), pytest.raises(GpuBusy, match=r"held by pid 1 \(first\)"):
        disk.lock(
            path,
            busy=lambda holder: GpuBusy(f"held by {holder}"),
            wait_seconds=0.2,
            waiting=lambda: waits.append("told"),
        )
    assert waits == ["told"]
    disk.lock(path, busy=GpuBusy).close()


def _hold_and_die(path: Path) -> None:
    kept = disk.lock(path)
    os.kill(os.getpid(), 9)
    kept.close()


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(tmp_path / "a.lock",))
    process.start()
    process.join(30)
    disk.lock(tmp_path / "a.lock", busy=GpuBusy).close()
