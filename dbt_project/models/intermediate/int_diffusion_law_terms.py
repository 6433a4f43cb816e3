"""dbt calls the fit; its contract is `expectations.laws.families.fitted`."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:  # noqa: ARG001  the contract of dbt's Python models
    """One row per family, law and term."""
    from expectations.laws import fitted

    return fitted(dbt.ref("int_generated_points").to_arrow_table())
