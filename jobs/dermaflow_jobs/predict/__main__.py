"""`python -m dermaflow_jobs.predict MODEL IMAGE…`: probabilities on screen, as CSV, and heat maps as pictures."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from dermaflow_jobs.predict.ensemble import Ensemble, load_ensemble
from dermaflow_jobs.predict.heat_map import occlusion, overlay
from dermaflow_jobs.predict.images import Picture, Unreadable, find_images, read
from dermaflow_jobs.runtime.errors import JobError

BATCH = 32
NOTICE = "Not for clinical use: a research model's opinion, not a diagnosis."


def main(argv: Sequence[str] | None = None) -> int:
    """0; 1 if an image could not be read or there was none; 2 if the model could not be used."""
    options = _parser().parse_args(argv)
    _say(NOTICE)
    try:
        ensemble = load_ensemble([options.model, *options.also])
    except JobError as error:
        _say(f"error: {error}\n{error.remedy or ''}")
        return 2
    readings = (read(path, ensemble.info) for path in find_images(options.images))
    if options.csv:
        with options.csv.open("w", newline="") as file:
            seen = _run(ensemble, readings, file, options.heat_maps)
    else:
        seen = _run(ensemble, readings, sys.stdout, options.heat_maps)
    if seen == (0, 0):
        _say("error: no image found")
    return 0 if seen[0] and not seen[1] else 1


def _say(text: str) -> None:
    """Beside the table, which has standard output to itself."""
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dermaflow_jobs.predict", description=NOTICE)
    parser.add_argument("model", help="path or s3:// URI of a model.keras")
    parser.add_argument("images", nargs="+", type=Path, help="image files, or folders of them")
    parser.add_argument("--also", action="append", default=[], metavar="MODEL", help="average with this model too")
    parser.add_argument("--csv", type=Path, help="write the table here instead of to the screen")
    parser.add_argument(
        "--heat-maps", type=Path, metavar="FOLDER", help="for every image a picture of what its answer hangs on"
    )
    return parser


def _run(
    ensemble: Ensemble, readings: Iterator[Picture | Unreadable], out: TextIO, heat_maps: Path | None
) -> tuple[int, int]:
    """Images predicted and images that could not be read. Columns: image_id, then a probability a class."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["image_id", *ensemble.info.classes])
    done = unread = 0
    while batch := list(islice(readings, BATCH)):
        for bad in (one for one in batch if isinstance(one, Unreadable)):
            _say(f"{bad.path}: {bad.reason}")
            unread += 1
        pictures = [one for one in batch if isinstance(one, Picture)]
        done += len(pictures)
        for picture, row in zip(pictures, _predict(ensemble, pictures), strict=True):
            table.writerow([picture.path.stem, *(f"{value:.6f}" for value in row)])
            if heat_maps:
                _draw(ensemble, picture, heat_maps)
    return done, unread


def _predict(ensemble: Ensemble, pictures: list[Picture]) -> list[np.ndarray]:
    return list(ensemble.probabilities(np.stack([picture.pixels for picture in pictures]))) if pictures else []


def _draw(ensemble: Ensemble, picture: Picture, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    answer = int(ensemble.probabilities(picture.pixels[None])[0].argmax())
    heat = occlusion(lambda images: ensemble.one_view(images)[:, answer], picture.pixels)
    overlay(picture.pixels, heat).save(folder / f"{picture.path.stem}-{ensemble.info.classes[answer]}.png")


if __name__ == "__main__":
    sys.exit(main())
