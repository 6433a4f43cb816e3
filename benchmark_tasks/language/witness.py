"""Two witnesses for tokens: what the client received, and what the server's own counter says.

A client that misreads a stream counts wrongly in a way that looks plausible; a second count that does not
come from the stream tells. Between two moments at which the server is at rest both must be equal, up to what
it generated for requests that were cut off: the client did not wait for that. On vLLM 0.32 they were equal
to the token over loads of 10,430 and 8,192 tokens (docs/methodology.md).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmark_tasks.client.events import Events
from benchmark_tasks.errors import LoadError
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.server import RunningServer

PATIENCE_SECONDS = 5.0
_AGAIN_SECONDS = 0.25


@dataclass(frozen=True)
class Generated:
    """How many tokens a server says that it generated over a load; `None` for a reason."""

    tokens: int | None
    absent_reason: str | None = None


def generated_so_far(server: RunningServer) -> Generated:
    """The server's own counter now; asked again for a moment where it owes an answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            tokens = server.generated_tokens()
        except OSError as error:
            if time.monotonic() > deadline:
                return Generated(None, f"the server's metrics page could not be read: {error}")
            time.sleep(_AGAIN_SECONDS)
        else:
            absent = f"the server's metrics page does not have {Series.GENERATED_TOKENS}"
            return Generated(tokens, absent if tokens is None else None)


def between(before: Generated, after: Generated) -> Generated:
    """What was generated from one moment to another."""
    if before.tokens is None or after.tokens is None:
        return Generated(None, before.absent_reason or after.absent_reason)
    return Generated(after.tokens - before.tokens)


def require_agreement(events: Events, generated: Generated) -> None:
    """Refuse a load of which client and server do not say the same.

    Raises:
        LoadError: they differ by more than what requests that were cut off had left.
    """
    if generated.tokens is None:
        return
    received = int(events.output_tokens.sum())
    left = int((events.max_tokens - events.output_tokens)[~events.completed].sum())
    if not received <= generated.tokens <= received + max(left, 0):
        raise LoadError(
            f"the client received {received} tokens, and the server says that it generated "
            f"{generated.tokens} over the same load: one of them counts wrongly, so there is no figure"
        )
