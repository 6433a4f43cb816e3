"""dbt calls the proof; its contract is `expectations.laws.families.left_out`."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:  # noqa: ARG001  the contract of dbt's Python models
    """One row per family, law and point."""
    from expectations.laws import left_out

    return left_out(dbt.ref("int_generated_points").to_arrow_table())
