"""Pages on how the board is run: load, ledger, quarantine and publications."""

from expectations.board.operations.pages import QUERIES, SAVINGS, write_operations

__all__ = ["QUERIES", "SAVINGS", "write_operations"]
