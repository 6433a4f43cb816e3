"""The explorer: the site's first page, where a reader sets ceilings and chooses a configuration."""

from expectations.board.explorer.page import render_explorer

__all__ = ["render_explorer"]
