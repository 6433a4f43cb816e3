"""Small candidates to publish, and a publisher that is killed at every step. Run as a script by the tests."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmark_tasks import catalog
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.board.libraries import libraries
from expectations.candidate.build import BuildResult
from expectations.candidate.fingerprint import git_commit
from expectations.gate.auditor import Audit
from expectations.publications import Publication
from expectations.refresh import RefreshResult, publish_candidate

CATALOG = catalog.load()
COLUMNS = (
    "leaderboard_id varchar, data_source varchar, task varchar, model_id varchar, nickname varchar,"
    " gpu_model varchar, num_gpus integer, batch_size integer, energy_source varchar, output_unit varchar,"
    " energy_per_output_joules double"
)


def make_candidate(path: Path, rows: int = 50, joules: float = 0.5) -> Path:
    """A candidate database with the five marts that readers rely on."""
    import duckdb

    connection = duckdb.connect(str(path))
    connection.execute("create schema marts")
    connection.execute(f"create table marts.leaderboard ({COLUMNS})")
    connection.execute(
        "insert into marts.leaderboard select 'id-' || i, 'jouleboard', 'lm-arena-chat', 'some/model',"
        f" 'Some model', 'H200', 1, i, 'nvml-counter', 'token', {joules} + i from range(1, {rows + 1}) t(i)"
    )
    connection.execute("comment on column marts.leaderboard.energy_per_output_joules is 'Joules per token.'")
    for name in ("min_energy_configurations", "run_log", "quarantine", "publications"):
        connection.execute(f"create table marts.{name} (number integer)")
    connection.close()
    return path


def publish(settings: Settings, candidate: Path, note: str) -> RefreshResult:
    """Publish a candidate as a refresh would, without building or auditing it."""
    built = BuildResult(candidate, (), None)
    with publications.publishing(settings):
        digest = f"digest of {note}"
        return publish_candidate(
            settings, built, Audit(), {}, digest, note=note, approval=None, catalog=CATALOG
        )


def write_marts(candidate: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Copy every mart of a candidate; returns rows and columns by mart when all are there."""
    with publications.marts_written(candidate, folder) as marts:
        pass
    return marts.tables


def published(settings: Settings, folder: Path, *statements: str, rows: int = 3) -> Publication:
    """A new publication without a site: the five marts that every one has, changed by SQL."""
    number = publications.next_number(settings)
    candidate = make_candidate(folder / f"candidate-{number}.duckdb", rows=rows, joules=number)
    import duckdb

    with duckdb.connect(str(candidate)) as connection:
        for statement in statements:
            connection.execute(statement)
    with publications.publishing(settings):
        incoming = publications.incoming_folder(settings, number)
        tables = write_marts(candidate, incoming)
        rest: dict[str, Any] = {name: {} for name in ("summary", "runs", "gate")} | {
            "history": [],
            "tables": tables,
        }
        publications.publish(settings, number, incoming, {"published_at": "2026-11-29T00:00:00+00:00"} | rest)
    return publications.require_current(settings)


# What follows runs in a process of its own, which forks: it must never open DuckDB itself.

_WATCHED = {
    "open", "os.rename", "os.mkdir", "os.chmod", "os.symlink", "os.remove", "os.rmdir", "os.scandir"
}  # fmt: skip
Step = Callable[[str, str], None]


def _on_each_step(home: Path, act: Step) -> None:
    """Call `act(event, path)` just before every file operation under `home`."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in _WATCHED and arguments and str(arguments[0]).startswith(str(home)):
            act(event, str(arguments[0]))

    sys.addaudithook(hook)


def _in_child(body: Callable[[], object]) -> int:
    """Run in a forked child; returns its wait status."""
    child = os.fork()
    if child == 0:
        try:
            body()
        except BaseException as error:  # noqa: BLE001  the parent sees the status, the log the error
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def _steps(settings: Settings, candidate: Path) -> list[str]:
    """Every file operation of one publication, in order."""
    log = settings.home.parent / "steps.log"

    def record() -> None:
        with log.open("a") as lines:
            _on_each_step(settings.published, lambda event, path: print(event, path, file=lines, flush=True))
            publish(settings, candidate, "counted")

    assert _in_child(record) == 0
    return log.read_text().splitlines()


def _kill_at(settings: Settings, candidate: Path, step: int, note: str) -> int:
    """Publish, and die by SIGKILL just before file operation number `step`."""

    def doomed() -> None:
        done = 0

        def die(event: str, path: str) -> None:
            nonlocal done
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)

        _on_each_step(settings.published, die)
        publish(settings, candidate, note)

    return _in_child(doomed)


def _state(settings: Settings) -> tuple[str, list[str]]:
    """Note of the current publication, and what is damaged about it."""
    item = publications.current(settings)
    assert item is not None
    return item.manifest["note"], publications.verify(settings, item)


def kill_everywhere(home: Path, candidate: Path, times: int) -> list[dict[str, object]]:
    """Kill publishers at `times` or more different steps; after each, look, then publish for good."""
    settings = Settings(home=home)
    git_commit()  # asked once, before the forks
    libraries()  # put together once, before the forks
    assert _in_child(lambda: publish(settings, candidate, "first")) == 0
    steps = _steps(settings, candidate)
    decisive = [n for n, step in enumerate(steps, 1) if step.startswith(("os.rename", "os.symlink"))]
    spread = [1 + n * (len(steps) - 1) // (times - 1) for n in range(times)]
    chosen = sorted({*spread, *decisive, *(n + 1 for n in decisive if n < len(steps))})
    outcomes = []
    for step in chosen:
        before, _ = _state(settings)
        note = f"killed at {step}"
        status = _kill_at(settings, candidate, step, note)
        after, damage = _state(settings)
        again = _in_child(partial(publish, settings, candidate, f"after {note}"))
        final, final_damage = _state(settings)
        outcomes.append(
            {
                "step": steps[step - 1].replace(str(home), ""),
                "killed": os.WIFSIGNALED(status),
                "state": "old" if after == before else "new" if after == note else after,
                "damage": damage,
                "next": again,
                "final": final == f"after {note}" and not final_damage,
                "left_over": sorted(path.name for path in (settings.published / ".incoming").iterdir()),
            }
        )
    return outcomes


if __name__ == "__main__":
    print(json.dumps(kill_everywhere(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
