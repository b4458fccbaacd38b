"""The file for Prefect's own command line: the deployments that `millrace deploy` makes."""

from pathlib import Path

import yaml

from flows.deployments import POOL, Target, flows_of

FILE = Path(__file__).parents[2] / "prefect.yaml"


def test_it_has_what_millrace_deploy_makes_of_the_quickstart():
    target = Target("quickstart", "millrace-home")
    expected = {
        (f"{flow.fn.__module__}.{flow.fn.__name__}", f"quickstart{suffix}", only)
        for flow, suffix, only in flows_of(target)
    }
    written = yaml.safe_load(FILE.read_text())["deployments"]
    found = {(one["entrypoint"], one["name"], one["parameters"].get("only")) for one in written}
    assert found == expected
    assert len(written) == len(expected)
    for one in written:
        assert one["work_pool"] == {"name": POOL}
        assert one["parameters"]["recipe"] == "quickstart"
    assert [one["name"] for one in written if "schedules" in one] == ["quickstart"]
