"""The `jouleboard` command, one file per group of commands."""

from benchmark_tasks.cli.app import main

__all__ = ["main"]
