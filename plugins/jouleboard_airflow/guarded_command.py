"""A command that ends with this process, however this process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from benchmark_tasks.processes import stop


class GuardedCommand:
    """A command under a guardian (`benchmark_tasks.runtimes.guardian`), as a context manager.

    The guardian ends the command and every process under it at the end of the context, on `terminate`, and
    when this process dies.
    """

    def __init__(self, command: Sequence[str]) -> None:
        guardian = [sys.executable, "-m", "benchmark_tasks.runtimes.guardian", str(os.getpid()), "--"]
        self._guardian = subprocess.Popen(
            [*guardian, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._guardian)

    def lines(self) -> Iterator[str]:
        """What the command prints on stdout and stderr, line by line, until it closes both."""
        assert self._guardian.stdout is not None
        for line in self._guardian.stdout:
            yield line.rstrip()

    def wait(self) -> int:
        """Wait until the command has ended. Returns its exit code."""
        return self._guardian.wait()

    def terminate(self) -> None:
        """Tell the guardian to end the command; does not wait."""
        self._guardian.send_signal(signal.SIGTERM)
