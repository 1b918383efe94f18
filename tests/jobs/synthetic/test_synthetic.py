import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from dermaflow_jobs.contract.dataset import SYNTHETIC_SOFTWARE
from dermaflow_jobs.contract.options import DEFAULT_CLASSES
from dermaflow_jobs.synthetic.__main__ import main, write_images
from dermaflow_jobs.synthetic.draw import SIZES, draw_image, jpeg_bytes
from dermaflow_jobs.synthetic.traits import MEANS, draw_traits


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.jpg")}


def test_the_same_seed_draws_the_same_bytes_however_many_processes_draw(tmp_path: Path) -> None:
    """Drawing alone or in a pool, for more images or fewer, changes no file."""
    write_images(tmp_path / "a", 2, seed=5, processes=1)
    write_images(tmp_path / "b", 3, seed=5, processes=2)
    first, second = files(tmp_path / "a"), files(tmp_path / "b")
    assert len(first) == 2 * len(MEANS)
    assert len(second) == 3 * len(MEANS)
    assert first.items() <= second.items()


def test_another_seed_draws_other_pictures() -> None:
    """No two pictures of a set, nor of two seeds, are the same."""
    drawn = {draw_image(label, seed, number).tobytes() for label in MEANS for seed in (1, 2) for number in (1, 2)}
    assert len(drawn) == 4 * len(MEANS)


def test_the_default_classes_are_those_that_are_drawn() -> None:
    """What the generator draws is what a run with default options trains on."""
    assert tuple(MEANS) == DEFAULT_CLASSES


@pytest.mark.parametrize("label", MEANS)
def test_a_picture_is_a_jpeg_of_realistic_size_that_says_it_was_drawn(label: str) -> None:
    """Size as in the archives, and EXIF Software that marks the file."""
    data = jpeg_bytes(draw_image(label, 7, 1))
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    assert image.size in SIZES
    assert 20_000 < len(data) < 400_000
    assert image.getexif()[Base.Software] == SYNTHETIC_SOFTWARE


def test_classes_differ_in_the_mean_and_overlap_in_the_single_case() -> None:
    """Melanomas are more asymmetric than nevi on average, yet many nevi are more so than many melanomas."""
    rng = np.random.default_rng(0)
    melanoma = np.array([draw_traits(rng, "melanoma").asymmetry for _ in range(400)])
    nevus = np.array([draw_traits(rng, "nevus").asymmetry for _ in range(400)])
    assert melanoma.mean() > nevus.mean() + 0.2
    assert np.quantile(nevus, 0.95) > np.quantile(melanoma, 0.10)


def test_the_command_line_draws_class_folders_and_a_contact_sheet(tmp_path: Path) -> None:
    """`--out` gives class folders with numbered files, `--contact-sheet` a picture of a row a class."""
    sheet = tmp_path / "sheets" / "sheet.jpg"
    main(["--out", str(tmp_path / "raw"), "--per-class", "1", "--seed", "3", "--contact-sheet", str(sheet)])
    assert set(files(tmp_path / "raw")) == {f"{label}/synthetic_{label}_00001.jpg" for label in MEANS}
    assert Image.open(sheet).width > 1000
