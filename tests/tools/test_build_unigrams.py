import io
import tarfile

from tools.build_unigrams import build, count_words

BOOK = """Produced by somebody
*** START OF THIS PROJECT GUTENBERG EBOOK ***
The mill, the MILL! "It's" be-b 1984 -- x2 né 3rd
*** END OF THIS PROJECT GUTENBERG EBOOK ***
licence licence licence
"""


def archive(folder, books):
    path = folder / "books.tar.xz"
    with tarfile.open(path, "w:xz") as files:
        for name, text in books.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            files.addfile(member, io.BytesIO(text.encode()))
    return path


def test_words_of_books_are_counted_and_ranked(tmp_path):
    path = archive(tmp_path, {"a/one.txt": BOOK, "two.txt": "no marks: the", "three.md": BOOK})
    assert count_words(path) == {
        "the": 2, "mill": 2, "it's": 1, "be-b": 1, "x": 1, "né": 1, "rd": 1,
    }  # fmt: skip
    build(path, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == (
        "word,count\nmill,2\nthe,2\nbe-b,1\nit's,1\nrd,1\nx,1\n"
    )
