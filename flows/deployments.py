"""Deployments: what the home's Prefect server may start, by schedule or by hand.

For one recipe there is a deployment of the joining flow, which may have a schedule, one of each
stage's flow, and one of each step (the joining flow with ``only``). All name the recipe, the home
and the settings by value, so that they do the same from wherever they are started; paths in the
recipe stay relative to the folder in which it was deployed. `millrace serve` executes them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from data_contracts.errors import UsageError
from flows.approval import check_approval
from flows.graph import build_graph
from flows.recipe import load_recipe
from store.hints import nearest
from store.runs import check_name

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

POOL = "millrace"
TAG = "millrace"
NAMED = "millrace:"  # before the name under which it was deployed: a tag of each deployment
ANCHOR = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday: slots lie alike, whenever one deploys
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Schedule:
    """When a run begins: by ``cron`` in a ``timezone``, or each ``interval`` since `ANCHOR`."""

    cron: str | None = None
    interval: timedelta | None = None
    timezone: str = "UTC"


@dataclass(frozen=True)
class Target:
    """What to deploy. ``name`` tells deployments of one recipe with other settings apart."""

    recipe: str
    home: str
    settings: tuple[str, ...] = ()
    name: str | None = None
    schedule: Schedule | None = None
    is_paused: bool = False

    @property
    def deployed_name(self) -> str:
        """The name of the deployment: the given one, or the recipe's."""
        return self.name or Path(self.recipe).stem

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of its flows, which mean the same in any folder."""
        recipe = os.path.abspath(self.recipe) if self.recipe.endswith(".toml") else self.recipe
        return {
            "recipe": recipe,
            "home": absolute_home(self.home),
            "settings": list(self.settings),
        }


def absolute_home(home: str) -> str:
    """Return a home that means the same in any folder: a URL as it is, a path made absolute."""
    return home if "://" in home else os.path.abspath(os.path.expanduser(home))


def parse_interval(text: str) -> timedelta:
    """Return an interval written as a number with ``s``, ``m``, ``h`` or ``d``.

    Raises:
        UsageError: if it is not written so, is less than a second, or ends after the year 9999.
    """
    number, unit = text[:-1], text[-1:]
    if unit in UNITS and number.isdecimal():
        with contextlib.suppress(OverflowError, ValueError):  # a number of too many digits
            interval = timedelta(**{UNITS[unit]: int(number)})
            if interval and ANCHOR + interval:
                return interval
    raise UsageError(f"{text!r} is no interval; write a number and a unit: 30s, 15m, 6h or 1d.")


def check_target(target: Target) -> None:
    """Find what is wrong with a target before a server is started for it.

    Raises:
        RecipeError: if the recipe is wrong. UsageError: if its name or its schedule is.
    """
    recipe = load_recipe(target.recipe, target.settings)
    check_approval(recipe, build_graph(recipe))
    check_name(target.deployed_name)
    if target.schedule is not None:
        _prefect_schedule(target.schedule)


def deploy(target: Target) -> list[str]:
    """Make the deployments of a recipe on the configured server, or update them; return names.

    Those of steps and stages that the recipe no longer has are removed. A schedule takes the place
    of an earlier one; without one the deployments are started by hand.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        make_pool(client)
        before = {deployment.id for deployment in of_target(client, target.deployed_name)}
        made = [
            _deploy(client, target, flow, suffix, only) for flow, suffix, only in flows_of(target)
        ]
        for stale in before - {identity for identity, _ in made}:
            client.delete_deployment(stale)
    return [name for _, name in made]


def remove(name: str) -> list[str]:
    """Remove the deployments of a name, and the runs that their schedule planned; return names.

    Raises:
        UsageError: if there are none.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = of_target(client, name)
        if not found:
            known = sorted({_base(d) for d in of_pool(client)})
            raise UsageError(f"There is no deployment {name!r}; {nearest(name, known)}")
        names = [_full_name(client, deployment) for deployment in found]
        for deployment in found:
            client.delete_deployment(deployment.id)
    return names


def make_pool(client: SyncPrefectClient) -> None:
    """Make the work pool, or bring it up to date; how a run is started stands in it.

    So a deployment that `prefect deploy` makes runs like ours.
    """
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    variables = template["variables"]["properties"]
    variables["command"]["default"] = f"{sys.executable} -m flows.deployed"
    variables["stream_output"]["default"] = False
    try:
        client.read_work_pool(POOL)
        client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
    except ObjectNotFound:
        about = "Runs that `millrace serve` executes on this machine"
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type="process", description=about, base_job_template=template)
        )


def of_pool(client: SyncPrefectClient) -> list[DeploymentResponse]:
    """Return all deployments that `millrace serve` executes."""
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
    found: list[DeploymentResponse] = []
    while page := client.read_deployments(work_pool_filter=pool, limit=200, offset=len(found)):
        found += page
    return found


def of_target(client: SyncPrefectClient, name: str) -> list[DeploymentResponse]:
    """Return the deployments that `deploy` made under a name."""
    return [d for d in of_pool(client) if _base(d) == name and TAG in d.tags]


def flows_of(target: Target) -> Iterator[tuple[Flow[..., Any], str, str | None]]:
    """Yield each flow with what is added to the deployment's name and the step to run alone."""
    from flows.whole_run import STAGES, whole_run

    names = build_graph(load_recipe(target.recipe, target.settings)).names()
    yield whole_run, "", None
    for steps, stage in STAGES:
        if set(steps) & set(names):
            yield stage, "", None
    for step in names:
        yield whole_run, f"-only-{step}", step


def _deploy(
    client: SyncPrefectClient, target: Target, flow: Flow[..., Any], suffix: str, only: str | None
) -> tuple[UUID, str]:
    """Make or update one deployment; return its id and its full name."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate

    name = f"{target.deployed_name}{suffix}"
    is_joining = flow.name == "run" and only is None
    schedule = _prefect_schedule(target.schedule) if target.schedule and is_joining else None
    identity = client.create_deployment(
        flow_id=client.create_flow(flow),
        name=name,
        entrypoint=f"{flow.fn.__module__}.{flow.fn.__name__}",
        parameters=target.parameters() | ({"only": only} if only else {}),
        parameter_openapi_schema=flow.parameters.model_dump_for_openapi(),
        enforce_parameter_schema=True,
        schedules=[DeploymentScheduleCreate(schedule=schedule)] if schedule else [],
        paused=target.is_paused and is_joining,
        description=(flow.description or "").split("\n")[0],
        tags=[TAG, f"{NAMED}{target.deployed_name}"],
        work_pool_name=POOL,
        job_variables={"working_dir": os.getcwd()},
    )
    return identity, f"{flow.name}/{name}"


def _prefect_schedule(schedule: Schedule) -> CronSchedule | IntervalSchedule:
    """Return a schedule as Prefect takes it.

    Raises:
        UsageError: if Prefect refuses the cron expression or the time zone.
    """
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    timezone = schedule.timezone
    try:
        if schedule.interval is None:
            return CronSchedule(cron=str(schedule.cron), timezone=timezone)
        return IntervalSchedule(interval=schedule.interval, anchor_date=ANCHOR, timezone=timezone)
    except ValueError as error:
        raise UsageError(
            f"Prefect takes no schedule {schedule.cron or schedule.interval} in the time zone "
            f"{timezone}; a cron expression has five fields, such as '0 3 * * *', a time zone is "
            f"called like Europe/Berlin."
        ) from error


def _base(deployment: DeploymentResponse) -> str:
    """Return the name under which a deployment was made; one without its tag was made earlier."""
    named = [tag for tag in deployment.tags if tag.startswith(NAMED)]
    return named[0].removeprefix(NAMED) if named else deployment.name.partition("-only-")[0]


def _full_name(client: SyncPrefectClient, deployment: DeploymentResponse) -> str:
    return f"{client.read_flow(deployment.flow_id).name}/{deployment.name}"
