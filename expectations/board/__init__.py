"""The pages of a publication."""

from expectations.board.site import write_site

__all__ = ["write_site"]
