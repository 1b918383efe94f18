"""One picture, from a seed, a class and a number, as the bytes of a JPEG file."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter
from PIL.ExifTags import Base

from dermaflow_jobs.contract.dataset import SYNTHETIC_SOFTWARE
from dermaflow_jobs.synthetic.artefacts import overlay, shade
from dermaflow_jobs.synthetic.lesion import paint_lesion
from dermaflow_jobs.synthetic.optics import render
from dermaflow_jobs.synthetic.skin import paint_skin
from dermaflow_jobs.synthetic.traits import MEANS, draw_traits

SIZES = ((767, 576), (768, 576), (800, 600), (1024, 768), (1024, 682))
"""Width and height, of the ISIC archive's smaller photographs."""
QUALITY = 90


def draw_image(label: str, seed: int, number: int) -> Image.Image:
    """The same arguments give the same pixels. Painted at half size, where there is nothing finer to see."""
    rng = np.random.default_rng([seed, list(MEANS).index(label), number])
    width, height = SIZES[rng.integers(len(SIZES))]
    shape = ((height + 1) // 2, (width + 1) // 2)
    tissue = paint_skin(rng, shape)
    paint_lesion(rng, tissue, draw_traits(rng, label))
    light = np.array([0.95, 0.94, 0.93], np.float32) * rng.uniform(0.86, 1.08) * rng.uniform(0.95, 1.05, 3)
    white = np.array([0.90, 0.89, 0.86], np.float32)
    pixels = render(tissue, light.astype(np.float32), white)
    shade(rng, pixels)
    pixels += rng.standard_normal(shape, dtype=np.float32)[..., None] * np.float32(rng.uniform(0.004, 0.014))
    half = Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    image = half.resize((width, height), Image.Resampling.BICUBIC)
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.BoxBlur(float(rng.uniform(0.6, 2.0))))
    overlay(rng, image)
    return image


def jpeg_bytes(image: Image.Image, quality: int = QUALITY) -> bytes:
    """With EXIF that says it was drawn."""
    exif = Image.Exif()
    exif[Base.Software] = SYNTHETIC_SOFTWARE
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()
