"""The pages of a publication."""

from expectations.board.dbt_docs import write_dbt_docs
from expectations.board.site import write_site

__all__ = ["write_dbt_docs", "write_site"]
