"""One stand-in for the session, clients for it, and clusters that are always ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra"))

from stand_in import StandIn, job_flow, make_account, state_of, wait_for

from local_aws.emr.environment import Image


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory, image: Path) -> Iterator[StandIn]:
    state = tmp_path_factory.mktemp("local-aws")
    (state / "emr").mkdir()
    (state / "emr" / "image").symlink_to(image)
    running = StandIn(state).start()
    make_account(running)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine image, made once: it takes seconds."""
    folder = tmp_path_factory.mktemp("image")
    Image(folder).make()
    return folder


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
