"""``millrace server``: the home's own Prefect server."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from flows.server import ensure_server, server_status, stop_server


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument(
        "--port", type=int, help="wanted port (default: 4200, or the next free one)"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Start, stop or describe the server."""
    if options.action == "start":
        ensure_server(options.home, port=options.port)
    stopped = options.action == "stop" and stop_server(options.home)
    value = server_status(options.home)
    if value["running"]:
        return value, f"Prefect is at {value['ui_url']} (pid {value['pid']}, {value['folder']})."
    return value, "Stopped." if stopped else "No server of this home is running."
