"""``millrace deploy``: put a recipe on the home's Prefect server, with a schedule or without."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from typing import Any

from data_contracts.errors import UsageError
from flows.client import configure_client
from flows.deployments import Schedule, Target, check_target, deploy, parse_interval, remove
from flows.server import ensure_server


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or a .toml file")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--cron", metavar="EXPR", help="run whenever this is due, say '0 3 * * *'")
    when.add_argument("--interval", metavar="N", help="run each 30s, 15m, 6h or 1d")
    parser.add_argument(
        "--timezone", default="UTC", metavar="ZONE", help="of --cron (default: UTC)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="set a field of the recipe"
    )
    parser.add_argument("--name", help="name of the deployments (default: the recipe's)")
    parser.add_argument("--pause", action="store_true", help="let the schedule rest")
    parser.add_argument("--remove", action="store_true", help="remove the deployments")


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Make, update or remove the deployments; the value names them."""
    target = Target(
        options.recipe,
        options.home,
        tuple(options.set),
        options.name,
        _schedule(options),
        options.pause,
    )
    if options.remove:
        return _remove(target, options)
    if options.pause and target.schedule is None:
        raise UsageError("--pause needs the schedule that is to rest: give --cron or --interval.")
    check_target(target)
    api_url = ensure_server(options.home)
    configure_client(api_url, options.home)
    names = deploy(target)
    value = {
        "deployments": names,
        "schedule": options.cron or options.interval,
        "paused": options.pause,
        "home": target.parameters()["home"],
        "prefect": api_url.removesuffix("/api"),
    }
    return value, _text(value, options)


def _remove(target: Target, options: Namespace) -> tuple[dict[str, Any], str]:
    if target.schedule is not None or options.set or options.pause:
        raise UsageError("--remove takes no schedule and no settings: only RECIPE and --name.")
    configure_client(ensure_server(options.home), options.home)
    names = remove(target.deployed_name)
    return {"removed": names}, f"Removed {len(names)} deployments of {target.deployed_name}."


def _schedule(options: Namespace) -> Schedule | None:
    if options.interval is not None:
        return Schedule(interval=parse_interval(options.interval), timezone=options.timezone)
    return None if options.cron is None else Schedule(options.cron, timezone=options.timezone)


def _text(value: dict[str, Any], options: Namespace) -> str:
    joining, *others = value["deployments"]
    stages = [name for name in others if not name.startswith("run/")]
    schedule = f"due {options.cron} ({options.timezone})" if options.cron else ""
    schedule = f"due each {options.interval}" if options.interval else schedule
    paused = ", paused" if options.pause else ""
    return "\n".join(
        [
            f"{joining:<28} {schedule or 'started by hand'}{paused}",
            f"{stages[0]:<28} and {len(stages) - 1} more stages, started by hand",
            f"{joining + '-only-STEP':<28} {len(others) - len(stages)} steps, started by hand",
            "",
            f"Prefect shows them at {value['prefect']}/deployments. They run while",
            f"  millrace serve --home {shlex.quote(value['home'])}",
            "is running on this machine.",
        ]
    )
