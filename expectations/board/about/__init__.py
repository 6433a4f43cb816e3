"""About the board: method, glossary, how to cite; and what other programs read: Atom feed, llms.txt."""

from expectations.board.about.pages import write_about

__all__ = ["write_about"]
