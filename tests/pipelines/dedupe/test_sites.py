import subprocess
import sys

import pytest

from pipelines.dedupe.sites import MAX_HOST_SEARCH_CHARS, site_of


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.example.co.uk/a?b=c", "example.co.uk"),
        ("http://EXAMPLE.com:8080/", "example.com"),
        ("http://a.b.github.io/", "github.io"),
        ("http://127.0.0.1/", "source:s"),
        ("http://localhost/", "source:s"),
        ("http://co.uk/", "source:s"),
        ("no address", "source:s"),
        ("", "source:s"),
        (None, "source:s"),
        ("x" * 10_000_000, "source:s"),
        ("http://" + "a." * MAX_HOST_SEARCH_CHARS + "example.com/", "source:s"),
    ],
)
def test_sites_are_registered_domains_or_sources(url, site):
    assert site_of(url, "s") == site


def test_importing_the_steps_loads_neither_numba_nor_the_suffix_list():
    modules = ", ".join(
        f"pipelines.dedupe.{name}"
        for name in (
            "count_lines",
            "find_repeated_lines",
            "choose_lines",
            "sample_spans",
            "find_shared_spans",
            "find_repeats",
            "drop_repeats",
        )
    )
    program = f"import sys, {modules}; sys.exit(bool({{'numba', 'tldextract'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
