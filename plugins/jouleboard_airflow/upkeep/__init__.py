"""Keeps an installation for years: backup, restore, housekeeping. The command line and a DAG call it."""

from jouleboard_airflow.upkeep.backup import backup as make_backup
from jouleboard_airflow.upkeep.backup import verify
from jouleboard_airflow.upkeep.housekeeping import housekeeping as tidy
from jouleboard_airflow.upkeep.restore import restore as put_back

__all__ = [
    "airflow_database",
    "backup",
    "cli",
    "contents",
    "findings",
    "history",
    "housekeeping",
    "make_backup",
    "put_back",
    "restore",
    "scheduled",
    "snapshot",
    "targets",
    "tidy",
    "unneeded",
    "verify",
]
