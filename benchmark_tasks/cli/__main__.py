"""`python -m benchmark_tasks.cli` is the command `jouleboard`."""

from benchmark_tasks.cli import main

main()
