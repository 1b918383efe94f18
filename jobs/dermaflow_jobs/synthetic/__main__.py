"""`python -m dermaflow_jobs.synthetic --out DIR --per-class N --seed S`: draws class folders of JPEG files."""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from dermaflow_jobs.synthetic.contact_sheet import contact_sheet
from dermaflow_jobs.synthetic.draw import draw_image, jpeg_bytes
from dermaflow_jobs.synthetic.traits import MEANS


def write_image(folder: Path, seed: int, job: tuple[str, int]) -> None:
    label, number = job
    path = folder / label / f"synthetic_{label}_{number:05d}.jpg"
    path.write_bytes(jpeg_bytes(draw_image(label, seed, number)))


def write_images(folder: Path, per_class: int, seed: int, processes: int) -> int:
    """Draw `per_class` pictures of every class below `folder`; returns how many. The same seed, the same bytes."""
    jobs = [(label, number) for number in range(1, per_class + 1) for label in MEANS]
    for label in MEANS:
        (folder / label).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        for _ in pool.map(partial(write_image, folder, seed), jobs, chunksize=8):
            pass
    return len(jobs)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="dermaflow_jobs.synthetic", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder to draw class folders into")
    parser.add_argument("--per-class", type=int, default=100, help="pictures of each class (default 100)")
    parser.add_argument("--seed", type=int, default=2021)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--contact-sheet", type=Path, metavar="FILE", help="also draw a sheet of thumbnails")
    arguments = parser.parse_args(argv)
    if arguments.out is None and arguments.contact_sheet is None:
        parser.error("nothing to do: give --out, --contact-sheet or both")
    if arguments.out is not None:
        began = time.monotonic()
        count = write_images(arguments.out, arguments.per_class, arguments.seed, arguments.processes)
        seconds = time.monotonic() - began
        print(f"{count} synthetic images in {arguments.out}, {count / seconds:.0f} images/s")  # noqa: T201
    if arguments.contact_sheet is not None:
        arguments.contact_sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet(arguments.seed).save(arguments.contact_sheet, quality=88, optimize=True)


if __name__ == "__main__":
    main()
