"""The result of a run: the record, its files, and the landing zone where they are."""
