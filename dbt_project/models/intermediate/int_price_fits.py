"""dbt calls the fit; its contract is `expectations.prices.lists.fitted`."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:  # noqa: ARG001  the contract of dbt's Python models
    """One row per price list and price."""
    from expectations.prices.lists import COLUMNS, fitted

    windows = dbt.ref("int_priced_windows").project(COLUMNS)
    decoding = dbt.ref("stg_jouleboard__window_decoding")
    return fitted(windows.to_arrow_table(), decoding.to_arrow_table())
