"""A page per model: all its configurations, their frontier, and what each row rests on."""

from expectations.board.models.pages import QUERIES, addresses, write_models

__all__ = ["QUERIES", "addresses", "write_models"]
