"""Running the steps that look at a whole corpus, in memory, over documents in any partitions."""

import pyarrow as pa
from memory_part import MemoryPart

from data_contracts.documents import DOCUMENTS, hash_text
from store.step import Inputs


def documents_of(rows):
    """Return a table of documents from dicts that have at least ``doc_id`` and ``text``."""
    filled = [
        {
            "source": "s",
            "uri": "u",
            "record_key": row["doc_id"],
            "kind": "text",
            "text_hash": hash_text(row["text"]),
            "labels": [],
            "num_repairs": 0,
            **row,
        }
        for row in rows
    ]
    return pa.Table.from_pylist(filled, DOCUMENTS)


def table_of(output, schema):
    rows = output.rows
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches(list(rows), schema)
    assert table.schema.equals(schema)
    table.validate()
    return table


def sliced(table, column):
    """Return the rows of each value of a column, which must be adjacent, as a store slices them."""
    values = table[column].to_pylist()
    firsts = [at for at, value in enumerate(values) if at == 0 or values[at - 1] != value]
    assert len({values[at] for at in firsts}) == len(firsts), "rows of a slice are not adjacent"
    ends = [*firsts[1:], len(values)][: len(firsts)]
    return {values[at]: table.slice(at, end - at) for at, end in zip(firsts, ends, strict=True)}


def map_parts(step, config, parts, **others):
    """Run a map step on named tables; ``others`` are further aligned inputs, by partition."""
    return {
        key: table_of(
            step.run(
                Inputs(
                    key,
                    {
                        "documents": (MemoryPart(key, table),),
                        **{name: (MemoryPart(key, given[key]),) for name, given in others.items()},
                    },
                ),
                config,
            ),
            step.rows_schema(config),
        )
        for key, table in parts.items()
    }


def shuffle_parts(step, config, name, parts):
    """Run a shuffle over the slices by bucket of a map step's output."""
    slices = {key: sliced(table, "bucket") for key, table in parts.items()}
    found = {}
    for bucket in range(step.num_buckets(config)):
        here = tuple(
            MemoryPart(key, part[bucket]) for key, part in slices.items() if bucket in part
        )
        key = f"bucket-{bucket:04d}"
        output = step.run(Inputs(key, {name: here}, bucket=bucket), config)
        found[key] = table_of(output, step.schema)
    return found


def run_whole(step, config, scratch=None, **inputs):
    """Run a whole step that slices its rows by partition, and return the slices."""
    parts = {
        name: tuple(MemoryPart(key, table) for key, table in given.items())
        for name, given in inputs.items()
    }
    output = step.run(Inputs("all", parts, scratch=scratch), config)
    assert output.slice_by == "part_key"
    return sliced(table_of(output, step.schema), "part_key")


def aligned(slices, parts, schema):
    """Return the slice of each partition, empty where there is none."""
    return {key: slices.get(key, schema.empty_table()) for key in parts}
