"""A sheet of thumbnails, a row a class, to see at a glance what the generator draws."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from dermaflow_jobs.synthetic.draw import draw_image
from dermaflow_jobs.synthetic.traits import MEANS

THUMB = (196, 147)
GAP = 6
MARGIN = 18
HEADING = 34


def contact_sheet(seed: int, columns: int = 6) -> Image.Image:
    """The first `columns` pictures of every class under this seed."""
    width = 2 * MARGIN + columns * THUMB[0] + (columns - 1) * GAP
    height = MARGIN + len(MEANS) * (HEADING + THUMB[1] + GAP) + MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(18), ImageFont.load_default(13)
    for row, label in enumerate(MEANS):
        top = MARGIN + row * (HEADING + THUMB[1] + GAP)
        draw.text((MARGIN, top + 4), label.replace("_", " "), fill=(30, 30, 30), font=large)
        draw.text((width - MARGIN, top + 9), "synthetic", fill=(150, 150, 150), font=small, anchor="ra")
        for column in range(columns):
            thumb = draw_image(label, seed, column + 1).resize(THUMB, Image.Resampling.LANCZOS, reducing_gap=3)
            sheet.paste(thumb, (MARGIN + column * (THUMB[0] + GAP), top + HEADING))
    return sheet
