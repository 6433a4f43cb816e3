"""About the board: method, glossary, how to cite, documentation; for other programs: Atom feed, llms.txt."""

from expectations.board.about.pages import write_about

__all__ = ["write_about"]
