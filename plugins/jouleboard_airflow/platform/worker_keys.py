"""The key with which GPU hosts sign their requests: it is valid for the Edge API and nothing else.

By Airflow's default, workers share the key with which the control plane signs everything: with it, whoever
has a GPU host could log in to the UI as its admin. Here workers have a secret of their own. The control plane
reads it as a key set (`[edge] trusted_jwks_url`), which `python -m jouleboard_airflow.platform.worker_keys`
writes from the variable WORKER_SECRET.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_ID = "gpu-hosts"
SHORTEST_SECRET = 64
"""Characters; for HS512 a key must be as long as the hash."""


def require_secret(secret: str | None, variable: str) -> str:
    """The secret, if it is long enough.

    Raises:
        SettingsError: it is missing or too short.
    """
    if secret is None or len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"{variable} must be set to at least {SHORTEST_SECRET} characters, the same on the control plane "
            "and on its GPU hosts: `openssl rand -hex 64` makes one"
        )
    return secret


def write_key_set(path: Path, secret: str) -> None:
    """Write the key set with which the control plane checks workers' requests; mode 0600."""
    key = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    path.parent.mkdir(parents=True, exist_ok=True)
    key_set = {"keys": [{"kty": "oct", "kid": KEY_ID, "alg": "HS512", "k": key}]}
    disk.replace(path, json.dumps(key_set) + "\n", mode=disk.PRIVATE)


def verify(claims: Mapping[str, Any], context: Any) -> dict[str, bool]:
    """Airflow calls this for every request with a valid signature: a token is valid for one route only."""
    return {"authorized": claims.get("method") == context.method}


def main() -> int:
    """Write the key set where `[edge] trusted_jwks_url` expects it."""
    from airflow.configuration import conf

    try:
        secret = require_secret(os.environ.get("WORKER_SECRET"), "JOULEBOARD_WORKER_SECRET")
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_key_set(Path(conf.get_mandatory_value("edge", "trusted_jwks_url")), secret)
    return 0


if __name__ == "__main__":
    sys.exit(main())
