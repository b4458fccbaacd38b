"""`store.storage`: one contract on a folder, in memory and over S3's protocol; what can fail."""

import itertools
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s3_options import s3_options

from store.errors import Damaged, DiskFull, ReadOnlyHome, StoreError, UsageError
from store.storage import Storage, canonical_json

ROOT = Path(__file__).parents[2]
COUNTER = itertools.count()
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


# The contract, everywhere.


def test_an_unused_home_is_empty_and_is_not_made(storage):
    assert list(storage.list("")) == list(storage.list("parts/ingest")) == []
    assert not storage.exists("a")
    assert storage.size("a") is None
    assert storage.read_json("a.json") is None
    with pytest.raises(FileNotFoundError):
        storage.read("a")
    storage.delete("a")
    if storage.is_local:
        assert not Path(storage.url).exists()


def test_create_is_won_once_and_replace_overwrites(storage):
    assert storage.create("parts/x/1.json", b"first")
    assert not storage.create("parts/x/1.json", b"second")
    assert storage.read("parts/x/1.json") == b"first"
    storage.replace("parts/x/1.json", b"third")
    storage.replace("parts/x/2.json", b"")
    assert storage.read("parts/x/1.json") == b"third"
    assert (storage.size("parts/x/1.json"), storage.size("parts/x/2.json")) == (5, 0)
    storage.delete("parts/x/1.json")
    assert storage.create("parts/x/1.json", b"again", durable=False)


def test_a_folder_is_not_a_file(storage):
    storage.create("a/b/c", b"1")
    assert not storage.exists("a")
    assert storage.size("a/b") is None
    assert not storage.exists("a/b/c/d")
    for name in ("a/b", "a/b/c/d"):
        with pytest.raises(FileNotFoundError):
            storage.read(name)


def test_list_is_recursive_sorted_by_whole_name_and_by_folder(storage):
    names = ["a/b", "a.b/c", "a/b.c/d", "ab", "a/z", "é/ü"]
    for name in names:
        storage.create(name, name.encode())
    started = time.time()
    listed = list(storage.list(""))
    assert [(name, size) for name, size, _ in listed] == [
        (n, len(n.encode())) for n in sorted(names)
    ]
    assert all(abs(modified - started) < 60 for _, _, modified in listed)
    assert [name for name, *_ in storage.list("a")] == ["a/b", "a/b.c/d", "a/z"]
    assert list(storage.list("a/b")) == []  # a file there, not a folder


@pytest.mark.parametrize("name", ["", "/a", "a/", "../a", "a/../../b", "a//b", "./a", "a\0b"])
def test_names_stay_within_the_home(storage, name):
    for call in (storage.read, storage.exists, storage.delete, storage.open_parquet):
        with pytest.raises(ValueError, match="relative POSIX path"):
            call(name)
    with pytest.raises(ValueError, match="relative POSIX path"):
        storage.create(name, b"")


def test_json_is_canonical(storage):
    assert storage.create_json("a.json", {"b": [1, None], "a": "ü\u2028"})
    assert storage.read("a.json").decode() == '{\n "a": "ü\u2028",\n "b": [\n  1,\n  null\n ]\n}\n'
    storage.replace_json("a.json", {"z": 0.1})
    assert storage.read_json("a.json") == {"z": 0.1}
    with pytest.raises(ValueError, match="JSON"):
        storage.create_json("nan.json", {"a": float("nan")})
    assert not storage.exists("nan.json")


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_not_our_json_is_damaged(storage, data):
    storage.create("receipt.json", data)
    with pytest.raises(Damaged, match=r"receipt\.json.*delete it and run again"):
        storage.read_json("receipt.json")


@given(value=st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
@settings(max_examples=50, deadline=None)
def test_canonical_json_reads_back_and_ignores_key_order(value):
    pair = {"one": value, "two": [value]}
    text = canonical_json(pair)
    assert json.loads(text) == pair
    assert text == canonical_json(dict(reversed(pair.items())))


def test_what_stands_for_bytes_of_a_file_name_reads_back():
    """A name of another encoding, as Python reads it from a folder (PEP 383)."""
    value = {"files": [os.fsdecode(b"caf\xe9.txt"), "caf\u00e9.txt", "\U0001f600"]}
    text = canonical_json(value)
    assert json.loads(text) == value
    assert "caf\u00e9.txt".encode() in text
    assert canonical_json(json.loads(text)) == text


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["create", "replace", "delete", "read", "list"]),
        st.sampled_from(["a", "b/c", "b/d", "b/e/f"]),
        st.binary(max_size=20),
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize(("kind", "examples"), [("local", 60), ("memory", 60), ("s3", 12)])
def test_it_behaves_like_a_dict(kind, examples, request):
    """Any sequence of operations gives what a dict gives."""
    port = request.getfixturevalue("s3_port") if kind == "s3" else None
    done = Counter()

    @given(operations=OPERATIONS)
    @settings(max_examples=examples, deadline=None)
    def check(operations):
        with tempfile.TemporaryDirectory() as folder:
            home = {"local": folder, "memory": "memory://m", "s3": "s3://store"}[kind]
            options = s3_options(port) if port else {}
            storage = Storage(f"{home}/dict-{next(COUNTER)}", **options)
            model: dict[str, bytes] = {}
            for operation, name, data in operations:
                done[operation] += 1
                _apply(storage, model, operation, name, data)

    check()
    assert set(done) == {"create", "replace", "delete", "read", "list"}


def _apply(storage, model, operation, name, data):
    if operation == "create":
        assert storage.create(name, data, durable=False) == (name not in model)
        model.setdefault(name, data)
    elif operation == "replace":
        storage.replace(name, data, durable=False)
        model[name] = data
    elif operation == "delete":
        storage.delete(name)
        model.pop(name, None)
    elif operation == "read":
        assert storage.exists(name) == (name in model)
        if name in model:
            assert storage.read(name) == model[name]
    else:
        listed = [(name, size) for name, size, _ in storage.list("")]
        assert listed == sorted((name, len(data)) for name, data in model.items())


@pytest.fixture
def hasty_threads():
    """Threads that interrupt each other as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_of_many_threads_one_creates(storage):
    rounds = 5 if storage.url.startswith("s3") else 50
    bodies = [b"%d" % writer * 1000 for writer in range(8)]
    together = threading.Barrier(len(bodies))

    def create(name, data):
        together.wait(timeout=60)
        return storage.create(name, data)

    with ThreadPoolExecutor(len(bodies)) as pool:
        for n in range(rounds):
            won = list(pool.map(create, [f"race/{n}"] * len(bodies), bodies))
            assert won.count(True) == 1
            assert storage.read(f"race/{n}") == bodies[won.index(True)]
    assert len(list(storage.list("race"))) == rounds


@pytest.mark.usefixtures("hasty_threads")
def test_threads_read_whole_files_while_others_replace_them(storage):
    bodies = [bytes([n]) * 50_000 for n in range(4)]
    storage.replace("shared", bodies[0])
    stop = time.monotonic() + 0.5

    def write(n):
        while time.monotonic() < stop:
            storage.replace("shared", bodies[n], durable=False)

    def read(_):
        seen = 0
        while time.monotonic() < stop:
            assert storage.read("shared") in bodies
            seen += 1
        return seen

    with ThreadPoolExecutor(4) as pool:
        writers = pool.map(write, (1, 2))
        assert sum(pool.map(read, range(2))) > 0
        list(writers)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_read_one_file_at_once(storage):
    times = 10 if storage.url.startswith("s3") else 500
    storage.create("a", b"x" * 100)
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda _: [storage.read("a") for _ in range(times)], range(8))
        assert Counter(itertools.chain(*read)) == {b"x" * 100: 8 * times}


def test_publish_puts_leaves_or_replaces(storage, tmp_path):
    def publish(data):
        local = tmp_path / "finished"
        local.write_bytes(data)
        storage.publish("parts/ingest/f.parquet", local)

    publish(b"one" * 1000)
    ((name, size, modified),) = storage.list("parts")
    assert (name, size) == ("parts/ingest/f.parquet", 3000)
    time.sleep(1.1 if storage.url.startswith("s3") else 0.02)
    publish(b"one" * 1000)
    assert [*storage.list("parts")] == [(name, size, modified)]
    publish(b"two" * 1000)
    assert storage.read(name) == b"two" * 1000
    publish(b"longer" * 1000)
    assert storage.read(name) == b"longer" * 1000


def test_download_and_parquet(storage, tmp_path):
    table = pa.table({"n": range(100_000), "text": [f"row {n}" for n in range(100_000)]})
    with storage.scratch() as folder:
        pq.write_table(table, folder / "t.parquet", row_group_size=10_000)
        storage.publish("t.parquet", folder / "t.parquet")
    with storage.open_parquet("t.parquet") as file:
        assert file.metadata.num_row_groups == 10
        assert file.read_row_group(3, columns=["n"]).column("n")[0].as_py() == 30_000
        assert file.read() == table
    storage.download("t.parquet", tmp_path / "copy.parquet")
    assert pq.read_table(tmp_path / "copy.parquet") == table
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy.parquet"]


def test_parquet_that_is_none_is_damaged(storage):
    for data in (b"", b"PAR1", b"not parquet at all" * 100):
        storage.replace("t.parquet", data)
        with pytest.raises(Damaged, match=r"t\.parquet.*delete it and run again"):
            storage.open_parquet("t.parquet")
    with pytest.raises(FileNotFoundError):
        storage.open_parquet("absent.parquet")
    with pytest.raises(FileNotFoundError):
        storage.download("absent.parquet", Path(tempfile.gettempdir(), "never"))


def test_scratch_is_removed_also_on_error(storage):
    def work(folder):
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"x")
        if storage.is_local:
            assert folder.parent == Path(storage.url, "tmp")
            assert [name for name, *_ in storage.leftovers()] == [f"tmp/{folder.name}/deep/file"]
        raise KeyError

    with pytest.raises(KeyError), storage.scratch() as folder:
        work(folder)
    assert not folder.exists()
    assert list(storage.leftovers()) == []


def test_check_writable_leaves_no_trace(storage):
    storage.check_writable()
    assert list(storage.list("")) == []
    if storage.is_local:
        assert not Path(storage.url).exists()


def test_local_path_and_free_bytes(storage, tmp_path):
    if storage.is_local:
        assert storage.local_path("a/b") == tmp_path / "home/a/b"
        status = os.statvfs(tmp_path)
        free = status.f_bavail * status.f_frsize
        assert storage.free_bytes() == pytest.approx(free, abs=200 << 20)
    else:
        assert storage.local_path("a/b") is None
        assert storage.free_bytes() is None


def _read_elsewhere(storage, name):
    return os.getpid(), storage.read(name)


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_other_processes_rebuild_it(storage, start):
    if storage.url.startswith("memory"):
        pytest.skip("memory is of one process")
    storage.create("a", b"here")  # the connection is open before the fork
    work = _read_elsewhere if start == "fork" else pickle.loads
    with ProcessPoolExecutor(1, mp_context=get_context(start)) as pool:
        if start == "fork":
            pid, data = pool.submit(work, storage, "a").result(timeout=60)
            assert (pid != os.getpid(), data) == (True, b"here")
        else:
            copy = pool.submit(work, pickle.dumps(storage)).result(timeout=60)
            assert (copy.url, copy.read("a")) == (storage.url, b"here")


# Where it lies.


def test_urls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for url in ("home", "./home/", f"file://{tmp_path}/home", "~/home"):
        storage = Storage(url)
        assert (storage.url, storage.is_local) == (str(tmp_path / "home"), True)
    assert Storage("s3://bucket/prefix/").url == "s3://bucket/prefix"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "  ", "file://", "local://"])
def test_an_empty_url_is_not_the_current_folder(url):
    with pytest.raises(UsageError, match="empty name; name a folder or a bucket with --home"):
        Storage(url)


def test_a_url_that_nobody_knows_is_a_wrong_use():
    with pytest.raises(UsageError, match=r"nosuch://x.*--home"):
        Storage("nosuch://x").exists("a")


def test_publish_from_another_disk_copies(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    with tempfile.NamedTemporaryFile(dir=shm) as file:
        file.write(b"x" * 3_000_000)
        file.flush()
        storage.publish("a/b", Path(file.name))
    assert storage.read("a/b") == b"x" * 3_000_000
    assert list(storage.leftovers()) == []


def test_create_without_hard_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    storage = Storage(str(tmp_path / "home"))
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: storage.create("a", b"%d" % n), range(8)))
    assert won.count(True) == 1
    assert storage.read("a") == b"%d" % won.index(True)
    assert list(storage.leftovers()) == []


WRITER = """
import sys
from store.storage import Storage
storage = Storage(sys.argv[1])
print("ready", flush=True)
for n in range(10**9):
    storage.create(f"new/{n}", bytes([n % 256]) * 3_000_000, durable=False)
    storage.replace("same", bytes([n % 256]) * 3_000_000, durable=False)
    if n >= 20:
        storage.delete(f"new/{n - 20}")
"""


def test_a_killed_writer_leaves_whole_files_only(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    seen = 0
    for attempt in range(5):
        command = [sys.executable, "-c", WRITER, storage.url]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(0.05 + 0.013 * attempt)
            process.send_signal(signal.SIGKILL)
        for name, size, _ in storage.list(""):
            data = storage.read(name)
            assert size == len(data) == 3_000_000
            assert data == data[:1] * 3_000_000
            seen += 1
    assert seen > 0
    for name, *_ in storage.leftovers():
        storage.delete(name)
    assert list(storage.leftovers()) == []


# What can fail on a disk.


def test_a_full_disk_is_told_and_changes_nothing(small_disk, tmp_path):
    storage = Storage(str(small_disk / "home"))
    storage.create("kept", b"old")
    before = list(storage.list(""))
    assert storage.free_bytes() < 1 << 20
    big = b"x" * (2 << 20)
    (tmp_path / "big").write_bytes(big)
    attempts = [
        lambda: storage.create("new", big),
        lambda: storage.replace("kept", big),
        lambda: storage.publish("new", tmp_path / "big"),
    ]
    for attempt in attempts:
        with pytest.raises(DiskFull, match=r"home/(new|kept).*--home"):
            attempt()
        assert list(storage.list("")) == before
        assert list(storage.leftovers()) == []
    assert storage.read("kept") == b"old"


def test_a_full_disk_in_scratch_is_explained(small_disk):
    storage = Storage(str(small_disk / "home"))
    table = pa.table({"b": [os.urandom(1 << 20) for _ in range(3)]})
    with pytest.raises(DiskFull), storage.scratch() as folder, storage.explained("write", "part"):
        pq.write_table(table, folder / "t.parquet")
    assert list(storage.leftovers()) == []


def test_a_disk_without_inodes_fails_the_check(small_disk):
    subprocess.run(["mount", "-o", "remount,nr_inodes=1", str(small_disk)], check=True)
    storage = Storage(str(small_disk / "home"))
    for attempt in (storage.check_writable, lambda: storage.create("a", b"")):
        with pytest.raises(DiskFull):
            attempt()


def test_a_read_only_disk_is_told(small_disk, tmp_path):
    storage = Storage(str(small_disk / "home"))
    storage.create("kept", b"old")
    (tmp_path / "new").write_bytes(b"new")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    attempts = [
        storage.check_writable,
        lambda: storage.create("new", b""),
        lambda: storage.replace("kept", b""),
        lambda: storage.delete("kept"),
        lambda: storage.publish("new", tmp_path / "new"),
        lambda: storage.scratch().__enter__(),
    ]
    for attempt in attempts:
        with pytest.raises(ReadOnlyHome, match=r"cannot write .*disk/home.*--home"):
            attempt()
    assert storage.read("kept") == b"old"


@pytest.mark.parametrize("place", ["file", "file/home", "/proc/millrace", "/proc/self/x/home"])
def test_a_home_that_cannot_be_made_is_told(tmp_path, place):
    (tmp_path / "file").write_bytes(b"")
    storage = Storage(str(tmp_path / place))
    for attempt in (storage.check_writable, lambda: storage.create("a/b", b"")):
        with pytest.raises(ReadOnlyHome, match=r"cannot write .*--home"):
            attempt()
    assert list(storage.list("")) == []
    assert not storage.exists("a/b")


def test_bugs_are_not_explained_away(tmp_path):
    storage = Storage(str(tmp_path))
    with pytest.raises(AttributeError), storage.explained("write", "a"):
        raise AttributeError("a bug")


# What can fail on the way to a bucket.


class Proxy:
    """A TCP proxy that treats its first answers as told, "cut" or "503", and passes the others."""

    def __init__(self, port, treatments):
        self.upstream = port
        self.treatments = list(treatments)
        self.used = Counter()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self.upstream)) as server:
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            while data := server.recv(65_536):
                if data.startswith(b"HTTP/1.1 100"):
                    client.sendall(data)
                    continue
                with self.lock:
                    treatment = self.treatments.pop(0) if self.treatments else "pass"
                    self.used[treatment] += 1
                if treatment == "cut":
                    client.sendall(data[: len(data) // 2])
                    break
                if treatment == "503":
                    client.sendall(
                        b"HTTP/1.1 503 Slow\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
                    break
                client.sendall(data)
            with suppress(OSError):  # or the other thread's recv keeps it open
                client.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _forward(client, server):
        try:
            while data := client.recv(65_536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@contextmanager
def proxied(port, treatments, **config):
    proxy = Proxy(port, treatments)
    home = f"s3://store/proxied-{next(COUNTER)}"
    try:
        yield (
            proxy,
            Storage(home, **s3_options(proxy.port, **config)),
            Storage(home, **s3_options(port)),
        )
    finally:
        proxy.listener.close()


@pytest.mark.parametrize("treatments", [["cut"], ["503", "cut"]])
@pytest.mark.parametrize("operation", ["read", "replace", "list", "download", "parquet", "publish"])
def test_a_connection_that_breaks_is_tried_again(s3_port, treatments, operation, tmp_path):
    body = os.urandom(300_000)
    with proxied(s3_port, treatments) as (proxy, storage, direct):
        direct.create("a", body)
        if operation == "read":
            assert storage.read("a") == body
        elif operation == "replace":
            storage.replace("b", body)
            assert direct.read("b") == body
        elif operation == "list":
            assert [(name, size) for name, size, _ in storage.list("")] == [("a", 300_000)]
        elif operation == "download":
            storage.download("a", tmp_path / "a")
            assert (tmp_path / "a").read_bytes() == body
        elif operation == "parquet":
            pq.write_table(pa.table({"b": [body]}), tmp_path / "p")
            direct.publish("p", tmp_path / "p")
            assert storage.open_parquet("p").read()["b"][0].as_py() == body
        else:
            (tmp_path / "c").write_bytes(body)
            storage.publish("c", tmp_path / "c")
            assert direct.read("c") == body
        assert proxy.used["cut"] + proxy.used["503"] == len(treatments)


def test_a_create_whose_answer_was_lost_is_still_ours(s3_port):
    with proxied(s3_port, ["cut", "cut"]) as (proxy, storage, direct):
        assert storage.create("a", b"mine")
        assert proxy.used["cut"] == 2
        assert direct.read("a") == b"mine"
    with proxied(s3_port, ["cut", "cut"]) as (proxy, storage, direct):
        direct.create("a", b"theirs")
        assert not storage.create("a", b"mine")
        assert proxy.used["cut"] == 2
        assert direct.read("a") == b"theirs"


def test_a_bucket_that_is_always_busy_ends_in_one_sentence(s3_port):
    once = {"retries": {"max_attempts": 1}}
    with proxied(s3_port, ["503"] * 1000, **once) as (proxy, storage, _):
        with pytest.raises(StoreError, match=r"cannot read s3://store/.*/a \(.*run again"):
            storage.read("a")
        assert 2 <= proxy.used["503"] <= 20


def test_a_bucket_that_does_not_answer_ends_in_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    storage = Storage("s3://store/x", **s3_options(port, retries={"max_attempts": 1}))
    with pytest.raises(StoreError, match="cannot write s3://store/x/a"):
        storage.create("a", b"")


def test_a_bucket_that_is_not_there_is_told(s3_port):
    storage = Storage("s3://no-such-bucket/x", **s3_options(s3_port))
    assert list(storage.list("")) == []
    for attempt in (storage.check_writable, lambda: storage.create("a", b"")):
        with pytest.raises(ReadOnlyHome, match=r"cannot write s3://no-such-bucket/x.*--home"):
            attempt()
