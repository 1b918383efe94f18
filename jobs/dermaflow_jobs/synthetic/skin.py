"""The skin around a lesion: tone, blotches, furrows, follicles, small vessels."""

from __future__ import annotations

import numpy as np

from dermaflow_jobs.synthetic.fields import Field, Shape, fractal, ramp, smooth, spots, stretched
from dermaflow_jobs.synthetic.optics import Tissue


def paint_skin(rng: np.random.Generator, shape: Shape) -> Tissue:
    """From very fair to brown, most of it fair as in the public archives."""
    tone = float(rng.beta(1.3, 4.0)) * 0.8
    flush = float(rng.uniform(0.05, 0.42))
    melanin = np.float32(0.05 + tone) * (1 + 0.08 * fractal(rng, shape, 90, 3))
    blood = np.float32(flush) * (1 + 0.13 * fractal(rng, shape, 70, 4))
    melanin += np.float32(rng.uniform(0.004, 0.022)) * furrows(rng, shape)
    if rng.random() < 0.5:
        blood += np.float32(rng.uniform(0.1, 0.4)) * vessels(rng, shape)
    if rng.random() < 0.6:
        melanin += np.float32(rng.uniform(0.05, 0.3)) * follicles(rng, shape)
    nothing = np.zeros(shape, np.float32)
    return Tissue(np.maximum(melanin, 0), nothing.copy(), np.maximum(blood, 0), nothing)


def furrows(rng: np.random.Generator, shape: Shape) -> Field:
    """Fine criss-cross lines: two stretched noises, stronger here and weaker there."""
    lines = stretched(rng, shape, 7, 2.5) + stretched(rng, shape, 2.5, 7)
    return lines * (1 + 0.5 * smooth(rng, shape, 60))


def vessels(rng: np.random.Generator, shape: Shape) -> Field:
    """Where a smooth noise crosses zero there is a thin winding line; another noise says where lines show."""
    winding = np.abs(fractal(rng, shape, 34, 2))
    return (1 - ramp(winding, 0.02, 0.10)) * ramp(smooth(rng, shape, 90), 0.2, 1.2)


def follicles(rng: np.random.Generator, shape: Shape) -> Field:
    count = int(rng.integers(15, 60))
    places = rng.random((count, 2)) * (shape[1], shape[0])
    return spots(shape, places, rng.uniform(1.2, 2.6, count), blur=1.3)
