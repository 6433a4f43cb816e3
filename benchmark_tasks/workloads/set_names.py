"""The name of a request set, from the id that runs record."""

from __future__ import annotations

SYNTHETIC = "synthetic"


def name_of(request_set_id: str) -> str:
    """The request set's name in a sweep, with the suffix of an unusual load (`Procedure.load_mark`)."""
    requests, plus, load = request_set_id.partition("+")
    name = SYNTHETIC if requests.startswith(SYNTHETIC) else requests.rsplit("-", 2)[0]
    return name + plus + load
