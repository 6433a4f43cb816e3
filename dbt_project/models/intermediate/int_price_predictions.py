"""dbt asks the prices; the contract is that of `expectations.prices.lists.predicted`."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:  # noqa: ARG001  the contract of dbt's Python models
    """One row per price list and window that it was not fitted to."""
    from expectations.prices.lists import COLUMNS, predicted

    windows = dbt.ref("int_priced_windows").project(COLUMNS)
    decoding = dbt.ref("stg_jouleboard__window_decoding")
    fits = dbt.ref("int_price_fits")
    return predicted(*(relation.to_arrow_table() for relation in (windows, decoding, fits)))
