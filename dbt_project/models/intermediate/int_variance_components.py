"""dbt calls the analysis; its contract is `expectations.variance.estimated`."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:  # noqa: ARG001  the contract of dbt's Python models
    """One row per data source, GPU model, architecture and source of variance."""
    from expectations.variance import estimated

    return estimated(dbt.ref("int_runs_behind_energy").to_arrow_table())
