"""Numbered publications: the store, the switch, queries."""
