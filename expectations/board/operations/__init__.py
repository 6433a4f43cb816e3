"""Pages on how the board is run: load, ledger, quarantine and publications."""

from expectations.board.operations.pages import QUERIES, write_operations

__all__ = ["QUERIES", "write_operations"]
