"""Which options each trial of a sweep gets: a function of the run spec, so every process reckons the same."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.stats import qmc

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.contract.options.sweep import Choices, Range, TrialValue
from dermaflow_jobs.contract.run_spec import RunSpec


def given_to(spec: RunSpec, number: int) -> dict[str, TrialValue]:
    """Option → value. Where the space is a grid no trial is like another; else a Sobol sequence fills it evenly."""
    sweep = spec.options.sweep
    grid = [values for values in sweep.sweep_space.values() if not isinstance(values, Range)]
    if len(grid) == len(sweep.sweep_space):
        every = list(product(*(dict.fromkeys(values) for values in grid)))
        drawn = np.random.default_rng(spec.options.train.seed).permutation(len(every))
        return dict(zip(sweep.sweep_space, every[drawn[number]], strict=True))
    sampler = qmc.Sobol(len(sweep.sweep_space), rng=np.random.default_rng(spec.options.train.seed))
    if number:
        sampler.fast_forward(number)
    point = sampler.random(1)[0]
    return {name: _value(values, at, name) for (name, values), at in zip(sweep.sweep_space.items(), point, strict=True)}


def trial_spec(spec: RunSpec, number: int) -> RunSpec:
    """The run spec as if the trial's options had been asked for."""
    options = spec.options.trial_options(given_to(spec, number))
    return spec.model_copy(update={"options": spec.options.model_copy(update={"train": options})})


def _value(values: Range | Choices, at: float, name: str) -> TrialValue:
    """`at` in [0, 1)."""
    if not isinstance(values, Range):
        return values[int(at * len(values))]
    if values.log:
        number = float(np.exp(np.log(values.low) + at * (np.log(values.high) - np.log(values.low))))
    else:
        number = values.low + at * (values.high - values.low)
    whole = isinstance(TrainOptions.model_fields[name].default, int)
    return round(number) if whole else float(f"{number:.4g}")
