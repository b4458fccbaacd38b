"""What several tests of the store share: the toy graph's corpus, homes, a bucket, a small disk."""

import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from store.storage import Storage

# Helper modules beside the tests, found by the tests and by every process that they start.
sys.path.insert(0, str(Path(__file__).parent))

from s3_options import s3_options


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


class OneAtATime:
    """Serves requests one after the other: moto's conditional PUT is not atomic, a bucket's is."""

    def __init__(self, app):
        self.app = app
        self.lock = threading.Lock()

    def __call__(self, *request):
        with self.lock:
            return self.app(*request)


@pytest.fixture(scope="session")
def s3_port():
    """The port on loopback of a server that speaks S3's protocol and has a bucket ``store``."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    server._server.app = OneAtATime(server._server.app)
    port = server.get_host_and_port()[1]
    fsspec.filesystem("s3", **s3_options(port)).call_s3("create_bucket", Bucket="store")
    yield port
    server.stop()


@pytest.fixture(scope="session")
def bucket_options(s3_port):
    """Options that reach the bucket ``store``."""
    return s3_options(s3_port)


@pytest.fixture
def bucket_home(bucket_options):
    """An empty home in a bucket."""
    return Storage(f"s3://store/{uuid.uuid4().hex}", **bucket_options)


@pytest.fixture(params=["local", "memory", "s3"])
def storage(request, tmp_path):
    """An empty home of each kind: a folder, in memory, a bucket."""
    if request.param == "local":
        return Storage(str(tmp_path / "home"))
    if request.param == "memory":
        return Storage(f"memory://bucket/{uuid.uuid4().hex}")
    return request.getfixturevalue("bucket_home")


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of one MiB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
