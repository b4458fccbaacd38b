"""`store.writer`: row groups, slices, counts, and what a flipped byte in a page does."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import writer
from store.identity import digest_table
from store.writer import ROW_GROUP_ROWS, write_rows

NUMBERS = pa.schema([pa.field("n", pa.int64(), nullable=False)])
NAMED = pa.schema([pa.field("name", pa.string(), nullable=False), ("n", pa.int64())])
DECIDED = pa.schema([("n", pa.int64()), ("keep", pa.bool_()), ("reason", pa.string())])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.parquet"


def numbers(count):
    return pa.table({"n": range(count)}, schema=NUMBERS)


def group_rows(path):
    metadata = pq.read_metadata(path)
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


def test_row_groups_end_after_a_fixed_number_of_rows(path):
    table = numbers(2 * ROW_GROUP_ROWS + 5)
    written = write_rows(table, NUMBERS, path, None)
    assert group_rows(path) == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 5]
    assert (written.num_rows, written.num_kept) == (len(table), len(table))
    assert written.digest == digest_table(table)
    assert pq.read_table(path).equals(table)


def test_row_groups_end_after_enough_bytes(path, monkeypatch):
    monkeypatch.setattr(writer, "ROW_GROUP_BYTES", 800)
    batches = [pa.record_batch([range(50)], schema=NUMBERS)] * 5  # 400 bytes each
    write_rows(batches, NUMBERS, path, None)
    assert group_rows(path) == [100, 100, 50]


def test_how_rows_come_in_batches_changes_nothing(path):
    table = numbers(ROW_GROUP_ROWS + 999)
    write_rows(table, NUMBERS, path, None)
    first = path.read_bytes()
    for size in (7_000, 1_000):
        write_rows(table.to_batches(max_chunksize=size), NUMBERS, path, None)
        assert path.read_bytes() == first


def test_texts_that_rarely_repeat_have_no_dictionary(path):
    pairs = [[("key", "value")]] * 100
    columns = {
        "id": [f"{n:032x}" for n in range(100)],
        "source": ["files"] * 100,
        "half": [f"{n % 51}" for n in range(100)],
        "third": [f"{n % 33}" for n in range(100)],
        "null": pa.nulls(100, pa.string()),
        "labels": pa.array(pairs, pa.map_(pa.string(), pa.string())),
        "tags": [["a"]] * 100,
        "spans": [[{"start": 1}]] * 100,
        "n": range(100),
    }
    table = pa.table(columns)
    write_rows(table, table.schema, path, None)
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(number) for number in range(group.num_columns)]
    plain = {chunk.path_in_schema for chunk in chunks if not chunk.has_dictionary_page}
    assert plain == {"id", "half"}
    assert pq.read_table(path).equals(table)


def dictionaries(path):
    """Return whether the first column has a dictionary, row group by row group."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [group.column(0).has_dictionary_page for group in groups]


@pytest.mark.parametrize(("num_first", "has"), [(1, True), (63, True), (64, False)])
def test_few_values_do_not_take_a_dictionary_from_all_others(path, num_first, has):
    schema = pa.schema([("reason", pa.string()), ("part_key", pa.string())])
    reasons = [f"reason-{n}" for n in range(num_first)] + ["reason-0"] * 500
    keys = ["a"] * num_first + ["b"] * 500
    table = pa.table({"reason": reasons, "part_key": keys}, schema=schema)
    write_rows(table, schema, path, "part_key")
    assert dictionaries(path) == [has, has]
    assert pq.read_table(path).equals(table)


def test_no_rows_are_a_file_with_a_schema(path):
    for rows in ([], NUMBERS.empty_table(), [pa.record_batch([pa.array([], pa.int64())], NUMBERS)]):
        written = write_rows(rows, NUMBERS, path, "n")
        assert (written.num_rows, written.num_kept, written.slices) == (0, 0, {})
        assert pq.read_schema(path).equals(NUMBERS)
        assert written.digest == digest_table(NUMBERS.empty_table())


def test_the_schema_is_read_back_with_nullability(path):
    write_rows(pa.table({"name": ["a"], "n": [1]}, schema=NAMED), NAMED, path, None)
    assert pq.read_schema(path).equals(NAMED)
    assert not pq.read_schema(path).field("name").nullable


def test_slices_are_row_groups_of_their_own(tmp_path):
    tried = 0

    @settings(max_examples=30)
    @given(
        runs=st.lists(
            st.tuples(st.sampled_from("abcd"), st.integers(1, 30)), unique_by=lambda r: r[0]
        ),
        size=st.integers(1, 50),
    )
    def check(runs, size):
        nonlocal tried
        names = [name for name, count in runs for _ in range(count)]
        table = pa.table({"name": names, "n": range(len(names))}, schema=NAMED)
        path = tmp_path / "rows.parquet"
        written = write_rows(table.to_batches(max_chunksize=size), NAMED, path, "name")
        assert written.digest == digest_table(table)
        assert list(written.slices) == [name for name, _ in runs]
        with pq.ParquetFile(path) as file:
            for name, part in written.slices.items():
                groups = range(part.first_group, part.first_group + part.num_groups)
                rows = file.read_row_groups(list(groups))
                expected = table.filter(pa.compute.equal(table["name"], name))
                assert rows.equals(expected)
                assert part.digest == digest_table(expected)
                assert part.num_rows == part.num_kept == len(expected)
                tried += 1

    check()
    assert tried > 0


def test_a_slice_may_have_many_row_groups(path):
    count = 2 * ROW_GROUP_ROWS + 1
    table = pa.table({"name": ["a", *["b"] * count, "c"], "n": range(count + 2)}, schema=NAMED)
    written = write_rows(table, NAMED, path, "name")
    assert {k: (s.first_group, s.num_groups) for k, s in written.slices.items()} == {
        "a": (0, 1),
        "b": (1, 3),
        "c": (4, 1),
    }
    assert group_rows(path) == [1, ROW_GROUP_ROWS, ROW_GROUP_ROWS, 1, 1]


def test_rows_of_a_slice_must_be_adjacent(path):
    table = pa.table({"name": ["a", "b", "a"], "n": [1, 2, 3]}, schema=NAMED)
    with pytest.raises(ValueError, match="slice name=a are not adjacent"):
        write_rows(table, NAMED, path, "name")


def test_kept_rows_and_reasons_are_counted(path):
    rows = [
        (1, True, None),
        (2, False, "b.x"),
        (3, False, "a.y"),
        (4, False, "b.x"),
        (5, True, None),
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    table = pa.table(dict(zip(DECIDED.names, columns, strict=True)), schema=DECIDED)
    for batches in (table, table.to_batches(max_chunksize=2)):
        written = write_rows(batches, DECIDED, path, None)
        assert (written.num_rows, written.num_kept) == (5, 2)
        assert list(written.reasons.items()) == [("a.y", 1), ("b.x", 2)]


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"m": [1]}),
        pa.table({"n": pa.array([1], pa.int32())}),
        pa.table({"n": [1], "m": [1]}),
        pa.table({"n": ["1"]}),
    ],
    ids=["name", "width", "number", "type"],
)
def test_another_schema_is_refused(path, table):
    with pytest.raises(TypeError, match="its schema says"):
        write_rows(table, NUMBERS, path, None)


def test_a_null_where_none_is_allowed_is_refused(path):
    with pytest.raises(ValueError, match="a null into n, which allows none"):
        write_rows(pa.table({"n": [1, None]}), NUMBERS, path, None)
    with pytest.raises(ValueError, match="a null into n"):
        write_rows(pa.table({"n": [1, None, 2]}).slice(1, 1), NUMBERS, path, None)
    write_rows(pa.table({"n": [None, 2]}).slice(1, 1), NUMBERS, path, None)


def test_any_flipped_byte_in_a_page_is_found_on_reading(home, path):
    """Page checksums, of whatever compression made of the rows."""
    table = pa.table({"name": [f"text {i % 7}" for i in range(60)], "n": range(60)}, schema=NAMED)
    write_rows(table, NAMED, path, None)
    data = path.read_bytes()
    pages = page_bodies(path)
    assert len(pages) >= 60
    home.publish("x.parquet", path)
    stored = home.local_path("x.parquet")
    for position in pages:
        changed = bytearray(data)
        changed[position] ^= 0x10
        stored.write_bytes(changed)
        with pytest.raises((OSError, pa.ArrowException)), home.open_parquet("x.parquet") as file:
            file.read()
    stored.write_bytes(data)
    with home.open_parquet("x.parquet") as file:
        assert file.read().equals(table)


def page_bodies(path):
    """Return the offsets of the last 24 bytes of each column chunk: the body of its last page."""
    group = pq.read_metadata(path).row_group(0)
    offsets = []
    for i in range(group.num_columns):
        column = group.column(i)
        start = column.dictionary_page_offset or column.data_page_offset
        end = start + column.total_compressed_size
        offsets += range(end - 24, end)
        if column.dictionary_page_offset:  # and of its dictionary
            offsets += range(column.data_page_offset - 24, column.data_page_offset)
    return offsets
