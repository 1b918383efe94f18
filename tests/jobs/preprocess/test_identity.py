"""What a dataset's name is made of: all that decides its content, and nothing else."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib import resources

import pytest

from dermaflow_jobs.contract.options import PreprocessOptions
from dermaflow_jobs.preprocess.decode import DecodeOptions
from dermaflow_jobs.preprocess.identity import DECODING, PLACING, dataset_id, decoder_id
from dermaflow_jobs.preprocess.listing import Listing, RawImage

NEITHER = {"__init__.py", "__main__.py", "card.py", "checks.py", "cluster.py", "fetch.py", "identity.py", "job.py"}
NEITHER |= {"tables.py"}
ONE = RawImage("raw/nevus/a.jpg", 7, "e1", "nevus", None)
CLASSES = ("melanoma", "nevus")


def name_of(*images: RawImage, decoder: str = "d", raw: str = "raw/", **options: object) -> str:
    chosen = PreprocessOptions.model_validate(options)
    return dataset_id(Listing(images, ()), None, CLASSES, chosen, decoder, raw)


def test_every_module_is_said_to_decide_pixels_or_a_place_or_neither() -> None:
    """A module that is moved or added and forgotten here would let an old dataset pass for a new one."""
    modules = {one.name for one in resources.files("dermaflow_jobs.preprocess").iterdir() if one.name.endswith(".py")}
    assert modules == {*DECODING, *PLACING} | NEITHER
    assert not NEITHER & {*DECODING, *PLACING}


@pytest.mark.parametrize("library", ["numpy", "pillow", "scipy", "simplejpeg"])
def test_another_version_of_what_decodes_is_another_decoder(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = decoder_id(DecodeOptions(64, 10**6))
    monkeypatch.setattr("dermaflow_jobs.preprocess.identity.version", lambda name: "0" if name == library else "1")
    changed = decoder_id(DecodeOptions(64, 10**6))
    monkeypatch.setattr("dermaflow_jobs.preprocess.identity.version", lambda _: "1")
    assert len({now, changed, decoder_id(DecodeOptions(64, 10**6)), decoder_id(DecodeOptions(65, 10**6))}) == 4


def test_content_options_and_decoder_make_the_name_and_the_place_in_the_bucket_does_not() -> None:
    name = name_of(ONE)
    assert name == name_of(replace(ONE, key="other/nevus/a.jpg"), raw="other/")
    two = replace(ONE, key="raw/nevus/b.jpg")
    assert name_of(ONE, two) == name_of(two, ONE)
    others = [name_of(replace(ONE, etag="e2")), name_of(replace(ONE, size=8)), name_of(replace(ONE, key="raw/nevus/b"))]
    others += [name_of(ONE, two), name_of(ONE, decoder="e"), name_of(ONE, image_size=65)]
    assert len({name, *others}) == 7


def test_the_log_says_which_part_of_the_name_is_another(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        name_of(ONE)
        name_of(ONE, decoder="e")
    first, second = (record.args[1] for record in caplog.records if isinstance(record.args, tuple))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert [part for part in first if first[part] != second[part]] == ["decoder"]
