"""The read API: a publication as JSON under `/v1/`, described by OpenAPI; live, or as files.

from expectations.api import answer, write_api

Stable: within `v1` fields and paths are only added. `v1.json` beside this file is what was promised so far;
a test compares it with what a publication has.
"""

from expectations.api.answers import Answer, answer
from expectations.api.collections import API_FOLDER, COLLECTIONS, FILTERS, VERSION, Collection
from expectations.api.files import write_api

__all__ = ["API_FOLDER", "COLLECTIONS", "FILTERS", "VERSION", "Answer", "Collection", "answer", "write_api"]
