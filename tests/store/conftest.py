"""What several tests of the store share: the toy graph's corpus, and a bucket on loopback."""

import shutil
import sys
import tempfile
import uuid
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from store.storage import Storage

# Helper modules beside the tests, found by the tests and by every process that they start.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def quick_path(tmp_path):
    """A temporary folder in memory if there is such a place: flushing to it costs nothing."""
    if not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="millrace-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def corpus(quick_path):
    """A folder of three small files of lines."""
    from toy_steps import write_corpus

    return write_corpus(quick_path / "corpus")


@pytest.fixture
def home(quick_path):
    """An empty local home."""
    return Storage(str(quick_path / "home"))


@pytest.fixture(scope="session")
def bucket_options():
    """Options that reach a bucket named ``store`` over S3's protocol, on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    client = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    options = {"key": "test", "secret": "test", "client_kwargs": client}
    fsspec.filesystem("s3", **options).call_s3("create_bucket", Bucket="store")
    yield options
    server.stop()


@pytest.fixture
def bucket_home(bucket_options):
    """An empty home in a bucket."""
    return Storage(f"s3://store/{uuid.uuid4().hex}", **bucket_options)
