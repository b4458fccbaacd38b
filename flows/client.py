"""The client side of a Prefect server: what a process sets before it, and its last words after.

Importing this module imports nothing of Prefect, whose import takes more than a second;
`configure_client` must be called before Prefect is imported, `drain` before a command ends.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from flows.state import server_folder

HOST = "127.0.0.1"
OWN_API_URL = "MILLRACE_PREFECT_API_URL"  # the PREFECT_API_URL that `configure_client` set
NO_TELEMETRY = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def configured_api_url() -> str | None:
    """Return the PREFECT_API_URL that the person set, ``None`` if unset or set by us."""
    api_url = os.environ.get("PREFECT_API_URL")
    return None if api_url == os.environ.get(OWN_API_URL) else api_url


def client_environment(api_url: str, home: str) -> dict[str, str]:
    """Return the environment in which a process talks to the server at ``api_url``.

    Prefect is quiet there (INFO to the server, nothing on stderr but what is critical: errors
    reach the caller), sends nothing to anyone else and keeps no results: the store does. With a
    server that the person configured, their PREFECT_HOME and profile stay in force; logging
    settings that they chose always do.
    """
    chosen = {
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }
    environment = {name: os.environ.get(name, value) for name, value in chosen.items()}
    environment |= NO_TELEMETRY
    environment |= {"PREFECT_API_URL": api_url, "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false"}
    if api_url == configured_api_url():
        return environment
    return environment | {
        OWN_API_URL: api_url,
        "PREFECT_HOME": str(server_folder(home)),
        "PREFECT_PROFILE": "local",
        **past_proxies(),
    }


def configure_client(api_url: str, home: str) -> None:
    """Make this process, and those it starts, talk to the server at ``api_url``.

    Call it before Prefect is imported. If Prefect was imported already, what is still on its way
    to the former server is sent and the settings are read again; only the level of its console
    logging then stays as it was.
    """
    environment = client_environment(api_url, home)
    context = sys.modules.get("prefect.context")
    if context is not None:
        drain()
    os.environ.update(environment)
    if context is not None:
        context.refresh_global_settings_context()


def drain(timeout_seconds: float = 30.0) -> bool:
    """Wait until this process has handed its events and logs to the server; call it at a run's end.

    Prefect sends both from threads of its own, and a task run exists on the server only through
    its events. Returns whether the threads were done in time, be it that they gave up. Does
    nothing if Prefect was never imported.
    """
    workers = sys.modules.get("prefect.events.worker")
    if workers is None:
        return True
    not_done: list[int] = []

    def wait() -> None:  # in a thread of its own: in a running event loop it could not wait
        not_done.append(len(workers.EventsWorker.drain_all(timeout=timeout_seconds)[1]))

    notices = logging.getLogger("EventsWorker")  # it warns of any event that is still to be sent
    level = notices.level
    notices.setLevel(logging.ERROR)
    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    notices.setLevel(level)
    return not_done == [0]


def past_proxies() -> dict[str, str]:
    """Return the variables that keep calls to this machine away from a proxy."""
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in named.split(",") if host.strip()]
    value = ",".join(dict.fromkeys([*hosts, HOST, "localhost"]))
    return {"NO_PROXY": value, "no_proxy": value}
