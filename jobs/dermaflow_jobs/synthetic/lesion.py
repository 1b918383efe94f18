"""A lesion painted into skin: its outline, its pigment, and the structures that dermatologists name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermaflow_jobs.synthetic.fields import Field, Shape, fractal, ramp, smooth, spots
from dermaflow_jobs.synthetic.optics import Tissue
from dermaflow_jobs.synthetic.traits import Traits

ANGLES = 720


@dataclass(frozen=True)
class Site:
    """The lesion's window in the picture and where each of its pixels lies in the lesion."""

    rows: slice
    columns: slice
    shape: Shape
    radius: float
    depth: Field
    """1 in the middle, 0 on the outline, negative outside."""
    inside: Field
    """0 to 1 over the edge."""
    u: Field
    v: Field
    """Place in units of the radius."""


def paint_lesion(rng: np.random.Generator, tissue: Tissue, traits: Traits) -> None:
    """Add one lesion, somewhere near the middle."""
    site = choose_site(rng, tissue.melanin.shape, traits)
    window = (site.rows, site.columns)
    melanin = pigment(rng, site, traits)
    deep, haze = veil(rng, site, traits)
    scar, pepper = regression(rng, site, traits)
    bright, plugs, relief = keratin(rng, site, traits)
    melanin *= (1 - 0.75 * scar) * (1 + relief)
    melanin += plugs * 1.3
    tissue.melanin[window] += site.inside * melanin
    tissue.deep[window] += site.inside * (deep + pepper)
    tissue.blood[window] += site.inside * np.float32(0.45 * traits.redness) * (1 + 0.4 * smooth(rng, site.shape, 25))
    tissue.white[window] = np.maximum(tissue.white[window], site.inside * np.clip(haze + 0.35 * scar + bright, 0, 0.8))


def choose_site(rng: np.random.Generator, picture: Shape, traits: Traits) -> Site:
    height, width = picture
    radius = height * (0.12 + 0.26 * traits.size)
    centre = np.array([width, height]) * (0.5 + rng.uniform(-0.07, 0.07, 2))
    reach = radius * 1.75
    left, right = max(0, int(centre[0] - reach)), min(width, int(centre[0] + reach))
    top, bottom = max(0, int(centre[1] - reach)), min(height, int(centre[1] + reach))
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    x, y = (x - np.float32(centre[0])) / np.float32(radius), (y - np.float32(centre[1])) / np.float32(radius)
    stretch = np.float32(1 + 0.45 * traits.elongation)
    u = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))) / np.sqrt(stretch)
    v = (y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))) * np.sqrt(stretch)
    shape = (bottom - top, right - left)
    angle = ((np.arctan2(v, u) + np.pi) * (ANGLES / (2 * np.pi))).astype(np.int32) % ANGLES
    ragged = fractal(rng, shape, radius * 0.35, 3) * np.float32(0.03 + 0.10 * traits.border)
    depth = 1 - np.hypot(u, v) / outline(rng, traits)[angle] + ragged
    soft = 0.05 + 0.38 * (1 - traits.sharpness) ** 1.5
    inside = ramp(depth, -soft * 0.35, soft)
    return Site(slice(top, bottom), slice(left, right), shape, radius, depth, inside, u, v)


def outline(rng: np.random.Generator, traits: Traits) -> NDArray[np.float32]:
    """Radius by angle: low harmonics for asymmetry, higher ones for notches, spikes where there are streaks."""
    angle = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    radius = np.ones(ANGLES)
    for k in range(1, 14):
        strength = 0.17 * traits.asymmetry / k if k <= 3 else 0.20 * traits.border / k
        radius += strength * rng.standard_normal() * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    if traits.streaks > 0.25:
        sector = np.clip(np.cos(angle - rng.uniform(0, 2 * np.pi)) * 1.6 - 0.3, 0, 1)
        teeth = np.clip(np.sin(angle * rng.integers(22, 44) + 2 * np.sin(3 * angle)), 0, 1) ** 2
        radius += 0.30 * traits.streaks * sector * teeth
    return np.clip(radius, 0.45, 1.6).astype(np.float32)


def pigment(rng: np.random.Generator, site: Site, traits: Traits) -> Field:
    """Superficial melanin: denser inside, uneven, eccentric where the lesion is asymmetric, netted and dotted."""
    amount = np.float32(0.25 + 1.25 * traits.pigment)
    melanin: Field = amount * (0.62 + 0.38 * np.clip(site.depth * 1.5, 0, 1))
    melanin *= np.exp(np.float32(0.10 + 0.34 * traits.variegation) * fractal(rng, site.shape, site.radius * 0.5, 3))
    away = rng.uniform(0, 2 * np.pi)
    du, dv = site.u - np.float32(0.55 * np.cos(away)), site.v - np.float32(0.55 * np.sin(away))
    blotch = np.exp(-(du * du + dv * dv) * np.float32(rng.uniform(2.5, 6)))
    melanin += np.float32(1.5 * traits.asymmetry * traits.variegation) * blotch
    melanin *= 1 + np.float32(0.9 * traits.network) * (network(rng, site) - 0.45)
    melanin += np.float32(0.2 + 0.7 * traits.globules) * globules(rng, site, traits)
    np.maximum(melanin, 0, out=melanin)
    return melanin


def network(rng: np.random.Generator, site: Site) -> Field:
    """Honeycomb of dark lines around light holes: three waves at 60° in warped coordinates."""
    period = float(rng.uniform(8, 14))
    warp = np.float32(period * 0.35)
    x = site.u * np.float32(site.radius) + warp * smooth(rng, site.shape, period * 1.6)
    y = site.v * np.float32(site.radius) + warp * smooth(rng, site.shape, period * 1.6)
    k = np.float32(2 * np.pi / period)
    waves = np.cos(k * x)
    waves += np.cos(k * (-0.5 * x + np.float32(0.866) * y))
    waves += np.cos(k * (-0.5 * x - np.float32(0.866) * y))
    patches = ramp(smooth(rng, site.shape, site.radius * 0.6), -1.4, 0.2)
    return 0.45 + (1 - ramp(waves, -1.3, 1.6) - 0.45) * patches


def globules(rng: np.random.Generator, site: Site, traits: Traits) -> Field:
    count = int(traits.globules**1.5 * 140)
    return spots(site.shape, scatter(rng, site, count), rng.uniform(1.2, 3.4, count), blur=0.9)


def veil(rng: np.random.Generator, site: Site, traits: Traits) -> tuple[Field, Field]:
    """Blue-white veil: deep melanin under a whitish film, in one part of the lesion."""
    where = ramp(smooth(rng, site.shape, site.radius * 0.8), 1.0 - 1.9 * traits.veil, 2.9 - 1.9 * traits.veil)
    return np.float32(1.3 * traits.veil) * where, np.float32(0.26 * traits.veil) * where


def regression(rng: np.random.Generator, site: Site, traits: Traits) -> tuple[Field, Field]:
    """A white scar-like area and the grey peppering in it."""
    strength = traits.regression
    where = ramp(fractal(rng, site.shape, site.radius * 0.7, 2), 1.4 - 2.0 * strength, 2.9 - 2.0 * strength)
    count = int(140 * strength)
    pepper = spots(site.shape, scatter(rng, site, count), rng.uniform(0.6, 1.3, count), blur=0.5)
    return where * np.float32(min(1.0, 1.4 * strength)), where * pepper * np.float32(1.5)


def keratin(rng: np.random.Generator, site: Site, traits: Traits) -> tuple[Field, Field, Field]:
    """Milia-like cysts (bright), comedo-like openings (dark), ridges and fissures (relief around 0)."""
    cysts, openings = int(34 * traits.cysts**1.3), int(26 * traits.openings**1.3)
    bright = spots(site.shape, scatter(rng, site, cysts), rng.uniform(1.5, 4.2, cysts), blur=1.4)
    dark = spots(site.shape, scatter(rng, site, openings), rng.uniform(1.8, 5.0, openings), blur=1.3)
    folds = np.abs(fractal(rng, site.shape, 15, 2))
    relief = np.float32(0.95 * traits.ridges) * (0.5 - ramp(folds, 0.0, 0.9))
    waxy = np.float32(0.12 * traits.ridges) * ramp(folds, 0.3, 1.4)
    return bright * np.float32(0.75) + waxy, dark, relief


def scatter(rng: np.random.Generator, site: Site, count: int) -> NDArray[np.float64]:
    """Places inside the lesion, evenly drawn; fewer than asked for never, repeated where it is tiny."""
    rows, columns = np.nonzero(site.depth[::4, ::4] > 0.08)
    if not len(rows):
        return np.full((count, 2), -100.0)
    chosen = rng.integers(len(rows), size=count)
    return np.stack([columns[chosen], rows[chosen]], axis=1) * 4.0 + rng.uniform(0, 4, (count, 2))
