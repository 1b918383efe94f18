"""`model.keras` in and out: Keras's own format in safe mode, and beside the weights what the model was made from."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.models.decision import decide
from dermaflow_jobs.runtime.errors import JobError

if TYPE_CHECKING:
    import keras

INFO_MEMBER = "dermaflow.json"


class ModelInfo(Value):
    """Kept as one more member of the `.keras` archive; Keras itself passes it by."""

    version: int = 1
    architecture: str
    classes: tuple[str, ...]
    """In the order of the probabilities."""
    image_size: int
    temperature: float
    """Already in the network: its output is softmax(logits / temperature)."""
    eight_views: bool
    """Already in the network: its logits are the mean over flips and quarter turns."""
    second_crop: bool = False
    """Already in the network, too: they are the mean over the image and its middle."""
    use_age_sex: bool = False
    """It takes the patient's age and sex beside the image."""
    decision_offsets: tuple[float, ...] = ()
    """By class; see `models.decision`. Not in the network: its probabilities are without them."""
    colour_constancy: bool
    """As the images it learned from were preprocessed."""
    synthetic: bool
    run_key: str
    dataset_id: str
    code_id: str

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """(images,) indices into `classes`, of the one that the model names, for (images, classes)."""
        return decide(probabilities, self.decision_offsets)


class ModelFileError(JobError):
    """A file that is not a model of this project, or is damaged."""


def save_model(model: keras.Model, path: Path, info: ModelInfo) -> None:
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(INFO_MEMBER, info.to_json())


def load_model(path: Path) -> tuple[keras.Model, ModelInfo]:
    """In safe mode: no pickle, no code from the file. Raises ModelFileError, saying what is wrong with the file."""
    import keras

    info = read_info(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras, h5py and zipfile each raise their own
        raise ModelFileError(
            f"{path.name} cannot be loaded: {type(error).__name__}: {error}",
            remedy="The file is damaged or was made by something else; train again or restore it.",
        ) from error
    expected = (None, len(info.classes))
    if getattr(model, "output_shape", None) != expected:
        raise ModelFileError(f"{path.name} gives {model.output_shape} where its classes need {expected}")
    return model, info


def read_info(path: Path) -> ModelInfo:
    """Without loading the network."""
    remedy = "Offer a model.keras that this project's train step wrote."
    if not zipfile.is_zipfile(path):
        raise ModelFileError(f"{path.name} is not a Keras model: not a zip archive", remedy=remedy)
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            if broken is not None:
                raise ModelFileError(f"{path.name} is damaged: checksum of {broken} does not match", remedy=remedy)
            body = archive.read(INFO_MEMBER)
    except zipfile.BadZipFile as error:
        raise ModelFileError(f"{path.name} is damaged: {error}", remedy=remedy) from error
    except KeyError:
        raise ModelFileError(
            f"{path.name} has no {INFO_MEMBER}: not one of this project's models", remedy=remedy
        ) from None
    return ModelInfo.parse(body, source=path.name)
