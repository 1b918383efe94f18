"""`python -m dermaflow_jobs.predict MODEL IMAGE…`: probabilities on screen, as CSV, and heat maps as pictures."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from dermaflow_jobs.models.details import encode
from dermaflow_jobs.predict import table
from dermaflow_jobs.predict.ensemble import Ensemble, load_ensemble
from dermaflow_jobs.predict.heat_map import occlusion, overlay
from dermaflow_jobs.predict.images import Picture, Unreadable, find_images, read_ahead
from dermaflow_jobs.preprocess.labels import NOTHING, Label, read_labels
from dermaflow_jobs.runtime.errors import JobError

BATCH = 32
NOTICE = "Not for clinical use: a research model's opinion, not a diagnosis."


def main(argv: Sequence[str] | None = None) -> int:
    """0; 1 if an image could not be read or there was none; 2 if model, details or a begun table cannot be used."""
    options = _parser().parse_args(argv)
    _say(NOTICE)
    try:
        ensemble = load_ensemble([options.model, *options.also])
        details = read_labels(options.details.read_bytes(), str(options.details)) if options.details else {}
        done = table.begin(options.csv, ensemble.info.classes) if options.csv else frozenset()
    except (JobError, OSError) as error:
        _say(f"error: {error}\n{getattr(error, 'remedy', None) or ''}")
        return 2
    paths = [path for path in find_images(options.images) if path.stem not in done]
    if done:
        _say(f"{options.csv} has {len(done)} images already; {len(paths)} to go")
    run = Run(ensemble, details, options.heat_maps)
    if options.csv:
        with options.csv.open("a", newline="") as file:
            unread = run.write(paths, file)
    else:
        table.write_header(sys.stdout, ensemble.info.classes)
        unread = run.write(paths, sys.stdout)
    if not paths and not done:
        _say("error: no image found")
    return 0 if (paths or done) and not unread else 1


def _say(text: str) -> None:
    """Beside the table, which has standard output to itself."""
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dermaflow_jobs.predict", description=NOTICE)
    parser.add_argument("model", help="path or s3:// URI of a model.keras")
    parser.add_argument("images", nargs="+", type=Path, help="image files, or folders of them")
    parser.add_argument("--also", action="append", default=[], metavar="MODEL", help="average with this model too")
    parser.add_argument(
        "--csv", type=Path, help="write the table here instead of to the screen; one that was begun is gone on with"
    )
    parser.add_argument(
        "--details", type=Path, metavar="LABELS", help="CSV of image_id, age, sex, for a model that takes them"
    )
    parser.add_argument(
        "--heat-maps", type=Path, metavar="FOLDER", help="for every image a picture of what its answer hangs on"
    )
    return parser


@dataclass(frozen=True)
class Run:
    ensemble: Ensemble
    details: Mapping[str, Label]
    heat_maps: Path | None

    def write(self, paths: Sequence[Path], out: TextIO) -> int:
        """A row an image, flushed batch by batch; how many could not be read."""
        unread = 0
        for batch in read_ahead(paths, self.ensemble.info, BATCH):
            bad = [one for one in batch if isinstance(one, Unreadable)]
            for one in bad:
                _say(f"{one.path}: {one.reason}")
            unread += len(bad)
            self._write([one for one in batch if isinstance(one, Picture)], out)
        return unread

    def _write(self, pictures: list[Picture], out: TextIO) -> None:
        if not pictures:
            return
        beside = self._details(pictures)
        answers = self.ensemble.probabilities(np.stack([picture.pixels for picture in pictures]), beside)
        table.write_rows(out, [picture.path.stem for picture in pictures], answers)
        if self.heat_maps:
            for picture, answer, one in zip(pictures, self.ensemble.info.decide(answers), beside, strict=True):
                self._draw(picture, int(answer), one, self.heat_maps)

    def _details(self, pictures: list[Picture]) -> np.ndarray:
        known = [self.details.get(picture.path.stem, NOTHING) for picture in pictures]
        ages = np.array([np.nan if one.age is None else one.age for one in known], np.float32)
        sexes = np.array([one.sex or "" for one in known])
        return np.asarray(encode(ages, sexes == "female", sexes == "male"))

    def _draw(self, picture: Picture, answer: int, beside: np.ndarray, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

        def probability(images: np.ndarray) -> np.ndarray:
            return self.ensemble.one_view(images, np.repeat(beside[None], len(images), axis=0))[:, answer]

        heat = occlusion(probability, picture.pixels)
        overlay(picture.pixels, heat).save(folder / f"{picture.path.stem}-{self.ensemble.info.classes[answer]}.png")


if __name__ == "__main__":
    sys.exit(main())
