"""How to reach the S3 server of the tests."""

from typing import Any


def s3_options(port: int, **config: Any) -> dict[str, Any]:
    """Return the options of `Storage` for a server on loopback, ``config`` being botocore's."""
    client = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
    more = {"config_kwargs": config} if config else {}
    return {"key": "test", "secret": "test", "client_kwargs": client, **more}
