"""An S3 server on loopback, with one bucket, and the variables by which every S3 client finds it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

BUCKET = "landing"
URL = f"s3://{BUCKET}/raw"


@dataclass(frozen=True)
class ObjectStore:
    """Where it is. `variables` are those of any S3 client: nothing in them is ours."""

    endpoint: str

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def objects(self) -> dict[str, bytes]:
        """Everything in the bucket, by key."""
        import s3fs

        files = s3fs.S3FileSystem(
            endpoint_url=self.endpoint, key="tests", secret="tests", skip_instance_cache=True
        )
        return {key.partition("/")[2]: files.cat_file(key) for key in files.find(BUCKET)}


@contextlib.contextmanager
def running_object_store() -> Iterator[ObjectStore]:
    """A server with an empty bucket."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    store = ObjectStore(f"http://{host}:{port}")
    try:
        httpx.put(f"{store.endpoint}/{BUCKET}", timeout=30).raise_for_status()
        yield store
    finally:
        httpx.post(f"{store.endpoint}/moto-api/reset", timeout=30)
        server.stop()
