"""A training's state as named arrays: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dermaflow_jobs.train.checkpoints import Arrays, CheckpointError
from dermaflow_jobs.train.loop import Training


def capture(training: Training) -> Arrays:
    return {name: np.asarray(variable.numpy()) for name, variable in _variables(training)}


def restore(training: Training, arrays: Arrays) -> None:
    """Raises CheckpointError, before anything is changed, unless every variable finds an array of its shape."""
    variables = dict(_variables(training))
    for name, variable in variables.items():
        given = arrays[name].shape if name in arrays else "missing"
        if given != tuple(variable.shape):
            raise CheckpointError(
                f"checkpoint does not fit the network: {name} is {given}, should be {tuple(variable.shape)}",
                remedy="Delete the run's checkpoints; the training then begins anew.",
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _variables(training: Training) -> Iterator[tuple[str, Any]]:
    groups = {
        "model": training.model.variables,
        "optimizer": training.optimizer.variables,
        "average": training.average.variables,
    }
    for group, variables in groups.items():
        for index, variable in enumerate(variables):
            yield f"{group}/{index:04d}", variable
