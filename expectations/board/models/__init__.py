"""A page per model: all its configurations, their frontier, and what each row rests on."""

from expectations.board.models.pages import can_write, write_models

__all__ = ["can_write", "write_models"]
