"""The name of a request set, from the id that runs record."""

from __future__ import annotations

SYNTHETIC = "synthetic"


def name_of(request_set_id: str) -> str:
    """What a sweep calls the request set of that id, and how the load was unusual (`Procedure.load_mark`)."""
    requests, plus, load = request_set_id.partition("+")
    name = SYNTHETIC if requests.startswith(SYNTHETIC) else requests.rsplit("-", 2)[0]
    return name + plus + load
