"""Pages on releases: what each one changed, the history of every configuration, and a page per release."""

from expectations.board.releases.pages import QUERIES, Release, write_releases

__all__ = ["QUERIES", "Release", "write_releases"]
