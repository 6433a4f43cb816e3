"""The `jouleboard` command: one file per group of commands. They call the same functions as Airflow's tasks.

Nothing heavy is imported before a command runs. Results go to stdout, progress and errors to
stderr; an error is one line, `error: ...`.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import typer

from benchmark_tasks.cli import data_sets, doctor, landing, measure, packing, plan, releases
from benchmark_tasks.cli.values import strict
from benchmark_tasks.disk import keep_others_from_writing
from benchmark_tasks.errors import ERROR_PREFIX, JouleboardError, of_this_machine, one_line
from benchmark_tasks.processes import beside_proxies, collect_garbage_rarely

app = typer.Typer(
    help="An energy leaderboard of generative-AI inference: measured, audited, published.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
UsageError = cast("type[Exception]", typer.BadParameter.__bases__[0])
"""Typer carries its own copy of Click and exports only this child of its usage errors."""

app.command()(releases.releases)
app.command()(plan.plan)
app.command("plan-prices")(plan.plan_prices)
app.command()(measure.measure)
app.command("measure-all")(measure.measure_all)
app.command()(landing.land)
app.command("data-set")(data_sets.data_set)
app.command("pack-runtimes")(packing.pack_runtimes)
app.command()(doctor.doctor)

_UPKEEP = "jouleboard_airflow.upkeep.cli"
_PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
"""Where Airflow's side of the program lies in a copy of the repository; Airflow finds it by itself."""

# Commands that live in other packages: imported only when they are called.
_ELSEWHERE = {
    "proposals": ("benchmark_tasks.cli.proposals", (), "New models on the hub: find, show, accept, reject."),
    "objectives": (
        "benchmark_tasks.cli.objectives",
        (),
        "Latency objectives of this installation: list, set, remove.",
    ),
    "import": ("benchmark_tasks.cli.imports", (), "Import results that others published."),
    "keys": ("benchmark_tasks.cli.keys", (), "Keys that sign, and whose signatures are trusted."),
    "verify": (
        "expectations.cli",
        ("verify",),
        "Check bundles and publications in any folder: every byte, and who signed.",
    ),
    "refresh": ("expectations.cli", ("refresh",), "Build the marts, audit them, publish or refuse."),
    "publications": (
        "expectations.cli",
        ("publications",),
        "Publications: list, show, verify, repair, roll back.",
    ),
    "contribute": ("expectations.cli", ("contribute",), "Pack and sign what was measured here, for others."),
    "explain": (
        "expectations.cli",
        ("explain",),
        "What a row of the leaderboard rests on: runs, GPUs, windows.",
    ),
    "recompute": (
        "expectations.cli",
        ("recompute",),
        "Work a row's figures out again from its bundles, without dbt, and compare.",
    ),
    "price": (
        "expectations.cli",
        ("price",),
        "What a request takes at a load, by a model fitted to measurements.",
    ),
    "digest": ("expectations.cli", ("digest",), "What was measured, changed and published in the last days."),
    "quarantine": ("expectations.cli", ("quarantine",), "Runs that the gate set aside: list, show, release."),
    "changes": (
        "expectations.cli",
        ("changes",),
        "Changes of energy between releases: list, contest, withdraw.",
    ),
    "export": ("expectations.cli", ("export",), "A publication in the forms that other tools read."),
    "query": ("expectations.cli", ("query",), "Run a SQL query on the current publication, read-only."),
    "backup": (_UPKEEP, ("backup",), "Back up this installation, also while it works; verify a backup."),
    "restore": (_UPKEEP, ("restore",), "Restore a backup into an empty JOULEBOARD_HOME."),
    "housekeeping": (_UPKEEP, ("housekeeping",), "Say what can be freed, and free it with --apply."),
}


def main() -> None:
    """Run the command; an error that a person is meant to read is one line on stderr.

    After a defect of the program, the line follows the traceback. A command that is told to end says so, and
    one whose reader has seen enough is silent.
    """
    _told.clear()
    collect_garbage_rarely()
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    os.environ |= beside_proxies(os.environ)
    keep_others_from_writing()
    code = _run()
    if _told:
        print(f"{ERROR_PREFIX}ended by {_told[0].name}", file=sys.stderr)
        code = 128 + _told[0]
    sys.exit(_flushed(code))


_told: list[signal.Signals] = []
"""The signal that this process was told to end by, whatever became of the exception that it raised."""


def _run() -> int:
    """Run the command; returns its exit code, after one line if it failed. Told to end, it says nothing."""
    try:
        code = strict(typer.main.get_command(app))(prog_name="jouleboard", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except JouleboardError as error:
        return _fail(one_line(error), error.exit_code)
    except UsageError as error:
        return _show_usage_error(error)
    except (typer.Abort, KeyboardInterrupt):
        return 128 + signal.SIGINT
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001  a defect is shown with its traceback and a last line
        if isinstance(error, OSError) and (line := of_this_machine(error)):
            return _fail(line, 1)
        if not _told:
            traceback.print_exc()
        message = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
        return _fail(f"{message}; a defect of jouleboard: report it with the lines above", 1)


def _fail(line: str, code: int) -> int:
    if not _told:
        print(f"{ERROR_PREFIX}{line}", file=sys.stderr)
    return code


def _flushed(code: int) -> int:
    """Write out what is printed: at the interpreter's end, an error of that would be a traceback."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return code or 128 + signal.SIGPIPE
        return code or _fail(of_this_machine(error) or f"output: {error.strerror}", 1)
    return code


def _show_usage_error(error: Any) -> int:
    """Print one line, or the help of a group that was called without a command; returns the exit code."""
    message = error.format_message()
    if message and "\n" not in message.strip():
        path = error.ctx.command_path if error.ctx else "jouleboard"
        print(f"{ERROR_PREFIX}{message.strip().rstrip('.')}; see `{path} --help`", file=sys.stderr)
    else:
        error.show()
    return int(error.exit_code)


def _leave(number: int, _frame: object) -> None:
    """Raise, so that context managers stop servers and remove folders."""
    _told.append(signal.Signals(number))
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _forward(module: str, prefix: tuple[str, ...], name: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        if _PLUGINS.is_dir() and str(_PLUGINS) not in sys.path:
            sys.path.append(str(_PLUGINS))
        try:
            other = importlib.import_module(module)
        except ModuleNotFoundError as error:
            missing = f"`jouleboard {name}` needs {error.name}"
            raise JouleboardError(f"{missing}: install the control plane (pip install jouleboard)") from error
        command = strict(typer.main.get_command(other.app))
        prog_name = "jouleboard" if prefix else f"jouleboard {name}"
        code = command.main([*prefix, *context.args], prog_name=prog_name, standalone_mode=False)
        if isinstance(code, int) and code:
            raise typer.Exit(code)

    return run


for _name, (_module, _prefix, _help) in _ELSEWHERE.items():
    app.command(
        _name,
        help=_help,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(_forward(_module, _prefix, _name))
