"""One measurement at a time, and leftovers of a dead one are ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmark_tasks.errors import GpuBusy
from benchmark_tasks.host.device_lock import MARK, hold_devices, hold_free_devices, reap

HOLD = """
import sys
from pathlib import Path
from benchmark_tasks.host.device_lock import hold_devices
with hold_devices(Path(sys.argv[1]), [0, 1], "another sweep"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_gpu_is_refused_and_says_by_whom(tmp_path: Path) -> None:
    process = holder(tmp_path)
    message = rf"gpu-1 is being measured by pid {process.pid} \(another sweep\)"
    with pytest.raises(GpuBusy, match=message), hold_devices(tmp_path, [1], "mine"):
        pass
    with hold_devices(tmp_path, [2], "mine"):
        pass
    process.kill()
    process.wait(10)
    with hold_devices(tmp_path, [0, 1], "mine"):
        pass


def test_the_first_free_gpus_are_taken(tmp_path: Path) -> None:
    with hold_devices(tmp_path, [1], "first"):
        with hold_free_devices(tmp_path, [3, 2, 1, 0], 2, "second") as (indices, mark):
            assert indices == (0, 2)
            assert [Path(path).name for path in mark.split(os.pathsep)] == ["gpu-0.lock", "gpu-2.lock"]
            with hold_free_devices(tmp_path, range(4), 1, "third") as (left, _):
                assert left == (3,)
                with pytest.raises(GpuBusy, match=r"gpu-3 is being measured by .*third"):
                    hold_free_devices(tmp_path, range(4), 1, "fourth").__enter__()
        with pytest.raises(GpuBusy), hold_free_devices(tmp_path, range(2), 2, "too few are free"):
            pass
        with hold_free_devices(tmp_path, range(4), 3, "what a refused one took is free again") as (
            indices,
            _,
        ):
            assert indices == (0, 2, 3)


def test_preferred_gpus_come_first_if_they_are_free(tmp_path: Path) -> None:
    with hold_free_devices(tmp_path, range(4), 1, "first", [2]) as (indices, _):
        assert indices == (2,)
        with hold_free_devices(tmp_path, range(4), 2, "second", [2, 3]) as (left, _):
            assert left == (3, 0)
    with hold_free_devices(tmp_path, [0, 1], 1, "not one of them", [3]) as (indices, _):
        assert indices == (0,)


def test_many_that_want_several_get_whole_sets(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from benchmark_tasks.host.device_lock import hold_free_devices\n"
        "with hold_free_devices(Path(sys.argv[1]), range(4), 2, 'one of many') as (indices, _):\n"
        "    print(*indices, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(4)
    ]
    said = [process.stdout.readline().split() for process in processes]
    assert sorted(len(indices) for indices in said) == [0, 0, 2, 2]
    assert len({index for indices in said for index in indices}) == 4
    for process in processes:
        process.communicate(timeout=30)


def test_whoever_gets_the_lock_ends_what_an_earlier_holder_left(tmp_path: Path) -> None:
    with hold_devices(tmp_path, [0], "first") as mark:
        leftover = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark}, start_new_session=True)
        other = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark.replace("gpu-0", "gpu-7")})
    with hold_devices(tmp_path, [0], "second"):
        assert not psutil.pid_exists(leftover.pid)
        assert other.poll() is None
    other.kill()
    other.wait(10)


def test_the_reaper_ends_leftovers_and_leaves_what_is_held_alone(tmp_path: Path) -> None:
    with hold_devices(tmp_path, [2], "first") as mark:
        leftover = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark}, start_new_session=True)
    process = holder(tmp_path)
    held = os.pathsep.join(str(tmp_path / "locks" / f"gpu-{index}.lock") for index in (0, 1))
    measured = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: held})
    assert reap(tmp_path) == 1
    assert not psutil.pid_exists(leftover.pid)
    assert measured.poll() is None
    assert reap(tmp_path) == 0
    assert reap(tmp_path / "no home yet") == 0
    measured.kill()
    process.kill()
    for ended in (measured, process):
        ended.wait(10)
