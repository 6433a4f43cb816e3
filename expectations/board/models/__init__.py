"""A page per model: all its configurations, their frontier, and what each row rests on."""

from expectations.board.models.pages import POWER, QUERIES, addresses, power_behind_rows, write_models

__all__ = ["POWER", "QUERIES", "addresses", "power_behind_rows", "write_models"]
