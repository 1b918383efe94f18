"""One stand-in for the session, clients for it, and clusters that are always ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stand_in import StandIn, job_flow, make_account, state_of, wait_for


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    running = StandIn(tmp_path_factory.mktemp("local-aws")).start()
    make_account(running)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def emr(stand_in: StandIn) -> Any:
    return stand_in.client("emr")


@pytest.fixture(scope="session")
def s3(stand_in: StandIn) -> Any:
    return stand_in.client("s3")


@pytest.fixture
def cluster(emr: Any) -> Iterator[Callable[..., str]]:
    """Makes clusters by `cluster(**request)`, and ends them whatever happens."""
    made: list[str] = []

    def make(**changes: Any) -> str:
        made.append(emr.run_job_flow(**job_flow(**changes))["JobFlowId"])
        return made[-1]

    yield make
    if made:
        emr.set_termination_protection(
            JobFlowIds=[each for each in made if not state_of(emr, each).startswith("TERMINATED")],
            TerminationProtected=False,
        )
        emr.terminate_job_flows(JobFlowIds=made)
        for each in made:
            wait_for(emr, each, "TERMINATED", "TERMINATED_WITH_ERRORS")
