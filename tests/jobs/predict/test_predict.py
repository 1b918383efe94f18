"""The command: image files in, a table and heat maps out."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from dermaflow_jobs.models.registry import as_classifier
from dermaflow_jobs.models.saved import ModelInfo, save_model
from dermaflow_jobs.predict.__main__ import main
from dermaflow_jobs.predict.heat_map import PATCHES, occlusion, overlay

CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")


def write_model(path: Path, favourite: int, *, size: int = 32, classes: tuple[str, ...] = CLASSES) -> Path:
    """A model that sees how red, green and blue the middle is, and has a favourite among them."""
    image = keras.Input((size, size, 3), name="image")
    middle = keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D(size // 4)(image))
    dense = keras.layers.Dense(len(classes))
    logits = dense(middle)
    dense.set_weights([np.eye(3)[:, : len(classes)] / 50, np.eye(3)[favourite][: len(classes)] * 0.5])
    info = ModelInfo(
        architecture="small_cnn",
        classes=classes,
        image_size=size,
        temperature=2.0,
        eight_views=True,
        colour_constancy=False,
        synthetic=True,
        run_key="r",
        dataset_id="d",
        code_id="c",
    )
    save_model(as_classifier(keras.Model(image, logits), temperature=2.0, eight_views=True), path, info)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three images whose middle is red, green and blue, one in a folder of its own; a file that is none; two models."""
    root = tmp_path_factory.mktemp("predict")
    images = root / "images"
    (images / "more").mkdir(parents=True)
    for channel, name in enumerate(("red.jpg", "green.png", "more/blue one.JPG")):
        pixels = np.full((90, 120, 3), 100, np.uint8)
        pixels[30:60, 40:80, channel] = 250
        Image.fromarray(pixels).save(images / name, quality=95)
    (images / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    (images / "notes.txt").write_text("not looked at")
    write_model(root / "a.keras", 0)
    write_model(root / "b.keras", 1)
    return root


def rows(text: str) -> dict[str, list[float]]:
    table = list(csv.reader(text.splitlines()))
    assert table[0] == ["image_id", *CLASSES]
    return {row[0]: [float(value) for value in row[1:]] for row in table[1:]}


def test_a_folder_becomes_a_table_and_what_is_no_image_is_named(folder, capsys):
    """One row an image, probabilities adding up to one; the exit code says that something was left out."""
    assert main([str(folder / "a.keras"), str(folder / "images"), "--csv", str(folder / "out.csv")]) == 1
    found = rows((folder / "out.csv").read_text())
    assert list(found) == ["green", "blue one", "red"]
    for name, channel in (("red", 0), ("green", 1), ("blue one", 2)):
        assert np.argmax(found[name]) == channel
        assert sum(found[name]) == pytest.approx(1, abs=1e-5)
    said = capsys.readouterr()
    assert "Not for clinical use" in said.err
    assert "broken.jpg: " in said.err
    assert not said.out


def test_a_table_that_was_cut_off_is_gone_on_with(folder, tmp_path, capsys):
    """Whole rows stay as they are, half a row is written anew, and nothing is predicted twice; another table is not
    touched."""
    out = tmp_path / "new" / "out.csv"
    given = [str(folder / "a.keras"), str(folder / "images"), "--csv", str(out)]
    assert main(given) == 1
    whole = out.read_text()
    lines = whole.splitlines(keepends=True)
    out.write_text(lines[0] + lines[1].replace("0.", "9.") + lines[2][:-5])
    assert main(given) == 1
    assert "has 1 images already; 3 to go" in capsys.readouterr().err
    assert out.read_text() == lines[0] + lines[1].replace("0.", "9.") + lines[2] + lines[3]
    out.write_text("image_id,cat,dog\n")
    assert main(given) == 2
    assert "not image_id, melanoma" in capsys.readouterr().err
    assert out.read_text() == "image_id,cat,dog\n"


def test_several_models_are_averaged(folder, capsys):
    image = str(folder / "images" / "red.jpg")
    answers = []
    for models in (["a.keras"], ["b.keras"], ["a.keras", "--also", str(folder / "b.keras")]):
        assert main([str(folder / models[0]), image, *models[1:]]) == 0
        answers.append(rows(capsys.readouterr().out)["red"])
    np.testing.assert_allclose(answers[2], np.mean(answers[:2], axis=0), atol=1e-6)


def test_models_of_other_classes_are_not_averaged(folder, capsys):
    other = write_model(folder / "two.keras", 0, classes=CLASSES[:2])
    assert main([str(folder / "a.keras"), str(folder / "images" / "red.jpg"), "--also", str(other)]) == 2
    assert "Average only models of the same classes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "message"), [("none.keras", "no such file"), ("images/red.jpg", "not a Keras model")]
)
def test_what_is_no_model_is_refused(folder, capsys, model, message):
    assert main([str(folder / model), str(folder / "images" / "red.jpg")]) == 2
    assert message in capsys.readouterr().err


def test_the_module_runs_and_draws_heat_maps(folder, capsys, monkeypatch):
    """As `python -m dermaflow_jobs.predict` does."""
    given = [str(folder / "a.keras"), str(folder / "images/red.jpg"), "--heat-maps", str(folder / "maps")]
    monkeypatch.setattr(sys, "argv", ["predict", *given])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("dermaflow_jobs.predict", run_name="__main__")
    assert ended.value.code == 0
    assert list(rows(capsys.readouterr().out)) == ["red"]
    assert Image.open(folder / "maps" / "red-melanoma.png").size == (32, 32)


def test_a_heat_map_is_warm_where_the_answer_comes_from():
    """Covering the bright corner is what lowers the answer; the picture is coloured there and nowhere else."""
    image = np.full((40, 40, 3), 90, np.uint8)
    image[:12, :12] = 240
    heat = occlusion(lambda images: images[:, :12, :12].mean(axis=(1, 2, 3)) / 255, image)
    assert heat.shape == (PATCHES, PATCHES)
    assert np.unravel_index(heat.argmax(), heat.shape) in {(0, 0), (1, 1), (0, 1), (1, 0)}
    assert np.abs(heat[5:, 5:]).max() < 1e-6
    picture = np.asarray(overlay(image, heat)).astype(int)
    assert np.abs(picture[30:, 30:] - 90).max() <= 1
    assert np.abs(picture[2:8, 2:8] - 240).max() > 20
