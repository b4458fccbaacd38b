"""``python -m flows.deployed``: the process of one deployed run, started by `millrace serve`.

It is Prefect's own engine (``python -m prefect.engine``) without heart-beats, for whose end every
flow would wait up to a second; a run that dies is found by its process.
"""

import runpy

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

if __name__ == "__main__":
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
