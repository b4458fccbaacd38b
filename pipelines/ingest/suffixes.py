"""What a file's name says of it: compression, archive, format, programming language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz")
ARCHIVES = {".zip": "zip", ".tar": "tar"}
FORMAT_OF_SUFFIX = {
    ".txt": "text",
    ".md": "markdown",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".warc": "warc",
    ".wet": "warc",
}
_UNPACKED_BY_READER = {"warc": (".gz",)}  # a member for each record, which it finds again
_WIKIPEDIA = re.compile(r"pages-(articles|meta).*\.xml")  # as Wikimedia calls its dumps
_SHORT = {".tgz": ".tar.gz", ".tbz2": ".tar.bz2", ".txz": ".tar.xz", ".tzst": ".tar.zst"}

# Beside the .arrow files of a Hugging Face dataset on disk: what it is, no records of it.
_DATASET_NOTES = frozenset(("dataset_info.json", "dataset_dict.json", "state.json"))

LANGUAGES = {
    ".bash": "shell", ".c": "c", ".cc": "c++", ".clj": "clojure", ".cpp": "c++", ".cs": "c#",
    ".css": "css", ".cu": "cuda", ".cxx": "c++", ".dart": "dart", ".el": "emacs-lisp",
    ".erl": "erlang", ".ex": "elixir", ".exs": "elixir", ".f90": "fortran", ".fs": "f#",
    ".go": "go", ".groovy": "groovy", ".h": "c", ".hpp": "c++", ".hs": "haskell", ".java": "java",
    ".jl": "julia", ".js": "javascript", ".jsx": "javascript", ".kt": "kotlin", ".lisp": "lisp",
    ".lua": "lua", ".m": "objective-c", ".ml": "ocaml", ".nim": "nim", ".pas": "pascal",
    ".php": "php", ".pl": "perl", ".pm": "perl", ".proto": "protobuf", ".ps1": "powershell",
    ".py": "python", ".pyi": "python", ".pyx": "cython", ".r": "r", ".rb": "ruby", ".rs": "rust",
    ".rst": "restructuredtext", ".scala": "scala", ".scm": "scheme", ".sh": "shell", ".sql": "sql",
    ".swift": "swift", ".tcl": "tcl", ".tex": "tex", ".toml": "toml", ".ts": "typescript",
    ".tsx": "typescript", ".v": "verilog", ".vhd": "vhdl", ".vim": "vim", ".yaml": "yaml",
    ".yml": "yaml", ".zig": "zig",
}  # fmt: skip


@dataclass(frozen=True)
class Named:
    """What a name says: how the bytes are packed and what is in them; "" for what it is not.

    Exactly one of ``archive`` (zip, tar) and ``format`` is not empty.
    """

    compression: str = ""
    archive: str = ""
    format: str = ""


def recognise(path: str, chosen: str = "") -> Named | None:
    """Return how a file of this name is read, None if it is not.

    ``chosen`` is a format that holds whatever the name says; of source code, files of known
    languages alone are read. Archives are opened in any case.
    """
    name = PurePosixPath(path.lower()).name
    for short, long in _SHORT.items():
        name = name.removesuffix(short) + long if name.endswith(short) else name
    compression = next((suffix for suffix in COMPRESSIONS if name.endswith(suffix)), "")
    bare = PurePosixPath(name.removesuffix(compression)) if compression else PurePosixPath(name)
    if bare.suffix in ARCHIVES:
        return Named(compression, archive=ARCHIVES[bare.suffix])
    if chosen == "code":
        return Named(compression, format=chosen) if bare.suffix in LANGUAGES else None
    format_name = chosen or FORMAT_OF_SUFFIX.get(bare.suffix, "")
    if not format_name and _WIKIPEDIA.search(bare.name):
        format_name = "wikipedia"
    if compression in _UNPACKED_BY_READER.get(format_name, ()):
        compression = ""
    if not format_name or (not chosen and bare.name in _DATASET_NOTES):
        return None
    return Named(compression, format=format_name)


def language_of(uri: str) -> str:
    """Return the programming language of a file, by its name."""
    path = PurePosixPath(uri.lower())
    while path.suffix in COMPRESSIONS:
        path = path.with_suffix("")
    return LANGUAGES.get(path.suffix, "unknown")
