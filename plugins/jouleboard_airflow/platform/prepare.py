"""Migrate Airflow's database to this version, and give it the pools that this fleet needs.

`python -m jouleboard_airflow.platform.prepare` runs in the environment of an installation (AIRFLOW_HOME or
AIRFLOW__ variables). To run it again changes nothing.
"""

from __future__ import annotations

import argparse

from jouleboard_airflow.gpu_hosts import GpuHosts, read_fleet
from jouleboard_airflow.lanes import CPU_POOL

WRITER_POOL = "duckdb_writer"


def main() -> None:
    """Migrate the database, then create or resize the pools."""
    argparse.ArgumentParser(description="Migrate Airflow's database and set the pools.").parse_args()
    prepare(read_fleet())


def prepare(fleet: tuple[GpuHosts, ...] = ()) -> None:
    """Migrate the database and set the pools: one per GPU model with a slot per GPU, and one without GPUs."""
    from airflow.utils.db import upgradedb

    upgradedb()
    _pool(CPU_POOL, 1, "One measurement without a GPU at a time: two would disturb each other.")
    _pool(WRITER_POOL, 1, "One refresh at a time: DuckDB has one writer.")
    for hosts in fleet:
        _pool(
            hosts.queue,
            hosts.slots,
            f"One slot per {hosts.gpu_model}; a measurement takes one per GPU that it uses.",
        )


def _pool(name: str, slots: int, description: str) -> None:
    from airflow.models.pool import Pool

    Pool.create_or_update_pool(name, slots=slots, description=description, include_deferred=False)


if __name__ == "__main__":
    main()
