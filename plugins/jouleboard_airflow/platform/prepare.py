"""Bring the metadata database and the pools to what this version and fleet need.

`python -m jouleboard_airflow.platform.prepare` runs inside the environment of an installation (AIRFLOW_HOME
or
AIRFLOW__ variables); idempotent.
"""

from __future__ import annotations

import argparse

from jouleboard_airflow.gpu_hosts import GpuHosts, read_fleet
from jouleboard_airflow.lanes import CPU_POOL

WRITER_POOL = "duckdb_writer"


def main() -> None:
    """Migrate the database, then create or resize the pools."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    prepare(read_fleet())


def prepare(fleet: tuple[GpuHosts, ...] = ()) -> None:
    """A pool with a slot a GPU for each GPU model; without a GPU one measurement at a time."""
    from airflow.utils.db import upgradedb

    upgradedb()
    _pool(CPU_POOL, 1, "One measurement without a GPU at a time, or they disturb each other.")
    _pool(WRITER_POOL, 1, "One builder at a time: DuckDB has one writer.")
    for hosts in fleet:
        _pool(
            hosts.queue, hosts.slots, f"One slot a {hosts.gpu_model}; a measurement takes as many as it uses."
        )


def _pool(name: str, slots: int, description: str) -> None:
    from airflow.models.pool import Pool

    Pool.create_or_update_pool(name, slots=slots, description=description, include_deferred=False)


if __name__ == "__main__":
    main()
