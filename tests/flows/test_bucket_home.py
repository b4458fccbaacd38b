"""The whole command line on a home in a bucket, over S3's protocol on loopback."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]


@pytest.fixture
def bucket(monkeypatch):
    """The URL of a bucket that a real S3 server serves, found the way AWS tools find theirs."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("mill")
    yield "s3://mill/home"
    server.stop()


def test_run_status_trace_verify_and_gc_work_in_a_bucket(bucket, texts, millrace):
    where = ["--home", bucket]
    settings = ["--set", f"ingest.path={texts}", "--set", "ingest.bundles=2"]
    first = millrace("run", "my-text", *where, *settings)
    assert first.code == 0, first.err
    again = millrace("run", "my-text", *where, *settings)
    assert {step["partitions_computed"] for step in again.value["steps"]} == {0}
    states = {step["state"] for step in millrace("status", *where).value["steps"]}
    assert states == {"fresh"}
    assert millrace("trace", "Line 17 says", *where).value["num_found"] == 1
    assert millrace("verify", "--deep", *where).value["exit_code"] == 0
    assert millrace("gc", *where).code == 0

    from catalog import open_run

    assert open_run(bucket).documents(columns=["doc_id"]).num_rows == 200
