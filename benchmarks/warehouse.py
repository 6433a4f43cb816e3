"""How the warehouse grows: `python -m benchmarks.warehouse [--scales 1,10,100]`.

For each scale the published data is resampled (benchmarks/resample.py), then imported, built by
dbt, gated and published, each phase in a process of its own so that its peak memory is its own
(gate and publication share one). Beside it ML.ENERGY's own package loads the same rows in a scratch
environment. Needs the published data (JOULEBOARD_PUBLISHED_V3); everything else is temporary.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.settings import Settings
from benchmarks.published import require_published_folder
from benchmarks.resample import grow

SQL = Path(__file__).with_name("sql")
PHASE_TIMEOUT_SECONDS = 3600
TARGET_SECONDS_AT_1X = 60.0


@dataclass(frozen=True)
class Phase:
    """One measured phase. `peak_mib` is the highest resident memory of its process so far."""

    name: str
    seconds: float
    peak_mib: float
    rows: int | None = None


def main() -> int:
    """Measure every scale and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warehouse", description=__doc__)
    parser.add_argument("--scales", default="1,10,100", help="times the published data, comma-separated")
    parser.add_argument("--without-mlenergy", action="store_true", help="leave ML.ENERGY's own path out")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--phase", choices=sorted(PHASES), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.phase:
        print(json.dumps([vars(phase) for phase in PHASES[arguments.phase](arguments.work)]))
        return 0
    try:
        source = require_published_folder()
        scales = [int(scale) for scale in arguments.scales.split(",")]
        figures = measure_all(source, scales, with_mlenergy=not arguments.without_mlenergy)
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, default=vars, indent=1) + "\n")
    return 0


def measure_all(source: Path, scales: list[int], *, with_mlenergy: bool) -> dict[str, list[Phase]]:
    """Every scale, smallest first, printing as it goes."""
    figures: dict[str, list[Phase]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        python = mlenergy_environment(Path(scratch) / "mlenergy") if with_mlenergy else None
        for scale in sorted(scales):
            work = Path(scratch) / f"{scale}x"
            work.mkdir()
            rows = grow(source, work / "source", scale)
            print(f"\n{scale}x: {rows:,} published rows", flush=True)
            figures[f"{scale}x"] = measure(work, python)
    _print_verdict(figures)
    return figures


def measure(work: Path, python: Path | None) -> list[Phase]:
    """Every phase at one scale."""
    phases: list[Phase] = []
    for name in ("import", "build", "audit"):
        for phase in _in_a_process(name, work):
            _print(phase)
            phases.append(phase)
    total = Phase("total", sum(phase.seconds for phase in phases), max(phase.peak_mib for phase in phases))
    _print(total)
    if python:
        phases += _mlenergy(work, python)
    return [*phases, total]


def _in_a_process(name: str, work: Path) -> list[Phase]:
    command = [sys.executable, "-m", "benchmarks.warehouse", "--phase", name, "--work", str(work)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PHASE_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise JouleboardError(f"phase {name} failed: {_last_line(done.stderr)}")
    return [Phase(**fields) for fields in json.loads(done.stdout.splitlines()[-1])]


def _import(work: Path) -> list[Phase]:
    from benchmark_tasks.imports.mlenergy import import_results

    with _timed("import") as finish:
        result = import_results(str(work / "source"), Settings(home=work / "home"))
    return [finish(result.configurations)]


def _build(work: Path) -> list[Phase]:
    from benchmarks.candidate import build_candidate

    with _timed("dbt build") as finish:
        built = build_candidate(work / "candidate", Settings(home=work / "home"))
    phases = [finish(None)]
    # The models alone: what grows with the rows. The rest is dbt's start, its tests and its documentation.
    models = sum(node.seconds for node in built.nodes if node.kind == "model")
    return [*phases, Phase("  of it: models", models, phases[0].peak_mib)]


def _audit(work: Path) -> list[Phase]:
    """Gate and publication of the candidate that `_build` left."""
    from benchmark_tasks import catalog
    from expectations import publications
    from expectations.candidate.build import BuildResult
    from expectations.gate.auditor import Auditor
    from expectations.refresh import publish_candidate
    from expectations.suites.mart import audit_marts

    settings = Settings(home=work / "home")
    built = BuildResult(work / "candidate" / "candidate.duckdb", (), None)
    with _timed("gate") as finish:
        audit = audit_marts(Auditor(), built.database)
    gate = finish(None)
    with _timed("publish") as finish, publications.publishing(settings):
        result = publish_candidate(
            settings, built, audit, {}, "benchmark", note=None, approval=None, catalog=catalog.load()
        )
    assert result.changed
    return [gate, finish(None)]


PHASES: dict[str, Callable[[Path], list[Phase]]] = {"import": _import, "build": _build, "audit": _audit}


@contextmanager
def _timed(name: str) -> Iterator[Callable[[int | None], Phase]]:
    started = time.perf_counter()
    seconds: list[float] = []

    def finish(rows: int | None) -> Phase:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return Phase(name, seconds[0], peak, rows)

    yield finish
    seconds.append(time.perf_counter() - started)


def mlenergy_environment(folder: Path) -> Path | None:
    """A scratch environment with `mlenergy-data`; `None`, with a word why, when it cannot be made."""
    uv = Path(sys.executable).with_name("uv")
    python = folder / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, folder],
        [uv, "pip", "install", "--quiet", "--python", python, "mlenergy-data"],
    ):
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=PHASE_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            print(f"ML.ENERGY's own path is left out: {_last_line(done.stderr)}")
            return None
    return python


def _mlenergy(work: Path, python: Path) -> list[Phase]:
    root, out = work / "compiled", work / "theirs"
    _write_compiled(work / "home", root)
    out.mkdir()
    script = Path(__file__).with_name("mlenergy_path.py")
    done = subprocess.run(
        [str(python), str(script), str(root), str(out)],
        capture_output=True,
        text=True,
        timeout=PHASE_TIMEOUT_SECONDS,
        env={"PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    if done.returncode:
        print(f"ML.ENERGY's own path failed: {_last_line(done.stderr)}")
        return []
    theirs = json.loads(done.stdout)
    phases = [
        Phase("mlenergy-data: load", theirs["import_seconds"] + theirs["load_seconds"], theirs["peak_mib"]),
        Phase("plain JSON dump", theirs["write_seconds"], theirs["peak_mib"], theirs["rows"]),
    ]
    for phase in phases:
        _print(phase)
    return phases


def _write_compiled(home: Path, root: Path) -> None:
    """The imported rows in the layout of ML.ENERGY's compiled data set; what was not published is NULL."""
    import duckdb

    (root / "runs").mkdir(parents=True)
    imported = home / "imports" / "mlenergy-v3" / "current"
    with duckdb.connect() as connection:
        for name in ("configurations", "models"):
            connection.read_parquet(str(imported / f"mlenergy_{name}.parquet")).create_view(name)
        for kind in ("llm", "diffusion"):
            query = (SQL / f"compiled_{kind}_runs.sql").read_text()
            connection.sql(query).write_parquet(str(root / "runs" / f"{kind}.parquet"))


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def _print(phase: Phase) -> None:
    print(f"  {phase.name:22} {phase.seconds:8.1f} s  peak {phase.peak_mib:6.0f} MiB", flush=True)


def _print_verdict(figures: dict[str, list[Phase]]) -> None:
    def seconds(scale: str, name: str) -> float:
        return next(phase.seconds for phase in figures[scale] if phase.name == name)

    if "1x" in figures:
        total = seconds("1x", "total")
        word = "within" if total <= TARGET_SECONDS_AT_1X else "over"
        print(f"\n1x raw to published: {total:.1f} s ({word} the target of {TARGET_SECONDS_AT_1X:.0f} s)")
    if {"1x", "100x"} <= figures.keys():
        ratio = seconds("100x", "dbt build") / seconds("1x", "dbt build")
        print(f"100x dbt build: {ratio:.1f} times the 1x build (target: at most 100)")


if __name__ == "__main__":
    raise SystemExit(main())
