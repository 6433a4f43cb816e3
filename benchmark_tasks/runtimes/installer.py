"""Fills an environment: runs the recipe of a distribution with uv and pip, from the package index.

Recipes are in the files of the runtimes (`kinds/`); this has the steps that they are made of.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from benchmark_tasks.errors import DiskFull, EnvironmentBuildError
from benchmark_tasks.host.machine import gpu_names
from benchmark_tasks.processes import guarded, log_tail
from benchmark_tasks.runtimes.interpreter import ask, clean_variables, telling
from benchmark_tasks.settings import Settings

INSTALL_SECONDS = 3600.0
HEARTBEAT_SECONDS = 15.0

FULL_BYTES = 16 * 2**20
"""If an installer fails with less free space than this, the full disk is the reason."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Distribution:
    """A package that provides a runtime.

    imported_as: the module whose import shows that the package is whole.
    install: its recipe; gets the installer of a new environment and the requirement (`vllm==0.32.0`).
    needs_gpu_to_import: it refuses to be imported on a machine without a GPU.
    """

    imported_as: str
    install: Callable[[Installer, str], None]
    needs_gpu_to_import: bool = False


class Installer:
    """Runs the installers for one environment; everything they say goes to one log.

    path: where the environment is to be.
    """

    def __init__(self, path: Path, log: Path, settings: Settings, progress: Progress) -> None:
        self.path = path
        self.python = path / "bin" / "python"
        self._name = log.name.removesuffix(".log")
        self._log = log
        self._progress = progress
        self._uv = _uv_bin()
        self._variables = _installer_variables(settings)
        log.write_text("")

    def install(self, name: str, version: str, distribution: Distribution | None) -> None:
        """Follow the recipe of a distribution; one that is not known has its requirement installed.

        Raises:
            EnvironmentBuildError, DiskFull
        """
        self.uv("creating the virtual environment", "venv", "--relocatable", "--python", sys.executable,
                str(self.path))  # fmt: skip
        wanted = f"{name}=={version}"
        if distribution is None:
            self.uv_pip("install", wanted)
            return
        distribution.install(self, wanted)
        # An environment may be made where there is no GPU; one that cannot be imported at all is none.
        if not distribution.needs_gpu_to_import:
            module = distribution.imported_as
            self._run(f"checking that {module} imports", str(self.python), "-c", f"import {module}")

    @property
    def has_gpu(self) -> bool:
        """Whether the environment is made on a machine with a GPU."""
        return bool(gpu_names())

    def cpu_torch(self, torch: str) -> tuple[str, ...]:
        """Install a CPU build with pip; what uv needs to know if there is none for pip."""
        try:
            self._run(f"installing {torch}", sys.executable, "-m", "pip", "--python", str(self.python),
                      "install", "--no-input", torch)  # fmt: skip
        except EnvironmentBuildError:
            return ("--torch-backend", "cpu")
        return ()

    def remove_broken(self, *names: str) -> None:
        """Uninstall what cannot be imported beside this torch (`torchvision::nms does not exist`).

        Models with images need torchvision, but not its compiled operators: the import is tried once more
        without them.
        """
        for name in names:
            if self._installed(name) and not self._imports(name):
                if name == "torchvision" and self._imports_without_operators():
                    continue
                self.uv_pip("uninstall", name)

    def _imports_without_operators(self) -> bool:
        from benchmark_tasks.runtimes import torchvision_operators

        [packages] = self.path.glob("lib/python*/site-packages")
        module = packages / "jouleboard_torchvision.py"
        hook = module.with_suffix(".pth")
        shutil.copyfile(torchvision_operators.__file__, module)
        hook.write_text(f"import {module.stem}\n")
        if self._imports("torchvision"):
            return True
        module.unlink()
        hook.unlink()
        return False

    def required(self, distribution: str, name: str) -> str:
        """The requirement of an installed distribution on a package, e.g. `torch==2.13.0+cpu`."""
        script = f"import importlib.metadata as m; print('\\n'.join(m.requires({distribution!r}) or []))"
        for line in ask(self.python, script, {}).splitlines():
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            if requirement.name == name and (not requirement.marker or requirement.marker.evaluate()):
                return f"{name}{requirement.specifier}"
        return name

    def _installed(self, name: str) -> bool:
        script = f"import importlib.util as u; print(u.find_spec({name!r}) is not None)"
        return ask(self.python, script, {}).strip() == "True"

    def _imports(self, name: str) -> bool:
        try:
            self._run(f"importing {name}", str(self.python), "-c", f"import {name}")
        except EnvironmentBuildError:
            return False
        return True

    def uv(self, what: str, *arguments: str) -> None:
        """Run uv; what it does is said in these words.

        Raises:
            EnvironmentBuildError, DiskFull
        """
        self._run(what, self._uv, *arguments)

    def uv_pip(self, command: str, *arguments: str) -> None:
        """Run `uv pip` on the environment.

        Raises:
            EnvironmentBuildError, DiskFull
        """
        what = f"{command}ing {' '.join(a for a in arguments if not a.startswith('--'))}"
        self.uv(what, "pip", command, "--python", str(self.python), *arguments)

    def _run(self, what: str, *command: str) -> None:
        """Run one command to its end; it never outlives this process.

        Raises:
            EnvironmentBuildError: it failed or took too long.
            DiskFull: it says so.
        """
        self._progress(f"environment {self._name}: {what}")
        with guarded(command, log=self._log, environment=self._variables, cwd=self.path.parent) as process:
            code = self._wait(process, what)
        if code == 0:
            return
        tail = log_tail(self._log)
        if self._disk_is_full(tail):
            raise DiskFull(f"no space left for {self._name}: free some space or move JOULEBOARD_HOME")
        raise EnvironmentBuildError(f"environment {self._name}: {telling(tail)}; full log in {self._log}")

    def _disk_is_full(self, tail: Sequence[str]) -> bool:
        """Whether the installer reports it, or no space is left at all."""
        said = any("no space left on device" in line.lower() for line in tail)
        return said or shutil.disk_usage(self._log.parent).free < FULL_BYTES

    def _wait(self, process: subprocess.Popen[bytes], what: str) -> int:
        started = time.monotonic()
        while (passed := time.monotonic() - started) < INSTALL_SECONDS:
            try:
                return process.wait(HEARTBEAT_SECONDS)
            except subprocess.TimeoutExpired:
                self._progress(f"environment {self._name}: {what}, {passed + HEARTBEAT_SECONDS:.0f} s")
        raise EnvironmentBuildError(
            f"environment {self._name}: {what} took over {INSTALL_SECONDS:.0f} s; see {self._log}"
        )


def _uv_bin() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _installer_variables(settings: Settings) -> dict[str, str]:
    """The index by variable, not by argument: a URL with a password stays out of `ps`."""
    from benchmark_tasks.releases.index import index_url

    url = index_url(settings)
    return {
        **clean_variables(),
        "UV_DEFAULT_INDEX": url,
        "PIP_INDEX_URL": url,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "PIP_PROGRESS_BAR": "off",
        "NO_COLOR": "1",
    }
