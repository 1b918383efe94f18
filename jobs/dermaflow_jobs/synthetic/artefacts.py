"""What stands between camera and skin: hairs, rulers, ink, gel bubbles, the dermoscope's own edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from dermaflow_jobs.synthetic.fields import Shape, ramp

Points = list[tuple[float, float]]


def shade(rng: np.random.Generator, pixels: NDArray[np.float32]) -> None:
    """Uneven light, dark corners, and in some pictures the round black edge of the dermoscope."""
    shape: Shape = (pixels.shape[0], pixels.shape[1])
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    aspect = shape[1] / shape[0]
    slope = rng.uniform(-0.10, 0.10, 2)
    squared = ((x * aspect) ** 2 + y**2).astype(np.float32)
    gain = (1 + slope[0] * x + slope[1] * y).astype(np.float32) * (1 - np.float32(rng.uniform(0, 0.16)) * squared)
    if rng.random() < 0.22:
        edge = float(rng.uniform(0.96, 1.28))
        gain *= 1 - ramp(np.sqrt(squared), edge - 0.03, edge + 0.02) * np.float32(0.97)
    pixels *= gain[..., None]


def overlay(rng: np.random.Generator, image: Image.Image) -> None:
    """Draw on the finished picture, at its full size."""
    if rng.random() < 0.45:
        stroke(image, hairs(rng, image.size), (38, 26, 20), opacity=0.8, blur=0.6)
    if rng.random() < 0.30:
        stroke(image, ruler(rng, image.size), (45, 45, 60), opacity=0.75, blur=0.4)
    if rng.random() < 0.10:
        stroke(image, ink(rng, image.size), (88, 60, 150), opacity=0.55, blur=2.0)
    if rng.random() < 0.25:
        stroke(image, bubbles(rng, image.size), (255, 255, 255), opacity=0.35, blur=1.0)


def stroke(image: Image.Image, mask: Image.Image, colour: tuple[int, int, int], *, opacity: float, blur: float) -> None:
    soft = mask.filter(ImageFilter.BoxBlur(blur)).point(lambda value: value * opacity)
    image.paste(colour, (0, 0), soft)


def hairs(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Bent strands that mostly run one way."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    grain = rng.uniform(0, np.pi)
    thickness = rng.uniform(1.2, 3.2)
    for _ in range(int(rng.integers(2, 28))):
        start = rng.random(2) * size
        along = grain + rng.normal(0, 0.5)
        length = rng.uniform(0.15, 0.6) * size[0]
        end = start + length * np.array([np.cos(along), np.sin(along)])
        bend = (start + end) / 2 + rng.normal(0, 0.14 * length, 2)
        draw.line(bezier(start, bend, end), fill=int(rng.integers(150, 256)), width=round(thickness), joint="curve")
    return mask


def bezier(start: NDArray[np.float64], bend: NDArray[np.float64], end: NDArray[np.float64]) -> Points:
    t = np.linspace(0, 1, 24)[:, None]
    points = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
    return [(float(x), float(y)) for x, y in points]


def ruler(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A millimetre scale near the lower edge, every fifth tick longer."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    length, tilt = rng.uniform(0.25, 0.5) * size[0], rng.uniform(-0.35, 0.35)
    along = np.array([np.cos(tilt), np.sin(tilt)])
    across = np.array([-along[1], along[0]])
    start = np.array([rng.uniform(0.08, 0.5) * size[0], rng.uniform(0.80, 0.93) * size[1]])
    ends = [start, start + along * length]
    draw.line([(float(x), float(y)) for x, y in ends], fill=255, width=2)
    for tick in range(21):
        foot = start + along * length * tick / 20
        tip = foot - across * (18 if tick % 5 == 0 else 10)
        draw.line([(float(x), float(y)) for x, y in (foot, tip)], fill=255, width=2)
    return mask


def ink(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Surgical marker crosses beside the lesion."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for _ in range(int(rng.integers(1, 4))):
        side = rng.choice([0.1, 0.9])
        middle = np.array([side, rng.uniform(0.1, 0.9)]) * size + rng.normal(0, 20, 2)
        for _ in range(3):
            arm = rng.normal(0, 0.05 * size[0], 2)
            draw.line([tuple(middle - arm), tuple(middle + arm)], fill=220, width=int(rng.integers(5, 11)))
    return mask


def bubbles(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Air in the immersion gel: bright rings."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for _ in range(int(rng.integers(3, 16))):
        x, y = rng.random(2) * size
        r = rng.uniform(3, 16)
        draw.ellipse((x - r, y - r, x + r, y + r), outline=255, width=2)
        draw.ellipse((x - r / 2, y - r / 2, x - r / 2 + 3, y - r / 2 + 3), fill=255)
    return mask
