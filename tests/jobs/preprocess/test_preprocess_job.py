"""The whole step: real Spark, real S3 protocol, images of every awkward kind."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from pictures import READABLE, bomb, jpeg, photo, saved
from PIL import ImageEnhance
from runs import SIZE, outcome, records, run, upload

from dermaflow_jobs.contract.options import DEFAULT_CLASSES
from dermaflow_jobs.preprocess import job
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.s3 import Store

pytestmark = pytest.mark.usefixtures("local_spark")
LENIENT = {"max_bad_share": 0.9}


def plenty(each: int = 12, begin: int = 0) -> dict[str, bytes]:
    """Good images of every class."""
    return {
        f"{label}/{begin + number:03d}.jpg": jpeg(1000 * position + begin + number)
        for position, label in enumerate(DEFAULT_CLASSES)
        for number in range(each)
    }


def awkward() -> dict[str, bytes]:
    """What a bucket that people fill holds besides."""
    picture = jpeg(1)
    return {
        **{f"nevus/odd/{name}": make(5000 + at) for at, (name, make) in enumerate(READABLE.items())},
        "nevus/empty.jpg": b"",
        "nevus/truncated.jpg": picture[: len(picture) // 2],
        "nevus/text.jpg": b"this is no image\n" * 40,
        "nevus/bomb.png": bomb(),
        "nevus/vanishes.jpg": jpeg(77),
        "nevus/notes.txt": b"remember the milk",
        "nevus/folder/": b"",
        "Nevi/a.jpg": jpeg(78),
        "loose.jpg": jpeg(79),
        "dt=someday/nevus/a.jpg": jpeg(80),
        "dt=2026-02-01/nevus/seen.jpg": jpeg(81),
        "dt=2027-01-01/nevus/of a later run.jpg": jpeg(82),
        "melanoma/original.jpg": jpeg(90),
        "melanoma/repeated.jpg": jpeg(90),
        "melanoma/same pixels, other bytes.jpg": jpeg(90, comment=b"hello"),
        "melanoma/under two classes.jpg": jpeg(91),
        "seborrheic_keratosis/under two classes too.jpg": jpeg(91),
        "labels.csv": b"image_id,age_approximate,sex,lesion_id\n000,55,Male,\n001,unknown,,L1\n002,,female,L1\n",
    }


REASONS = {
    "nevus/empty.jpg": "zero bytes",
    "nevus/truncated.jpg": "truncated",
    "nevus/text.jpg": "not a readable image",
    "nevus/bomb.png": "too many pixels",
    "nevus/vanishes.jpg": "vanished before it was read",
    "nevus/notes.txt": "not an image",
    "nevus/folder/": "folder marker",
    "Nevi/a.jpg": "unknown class",
    "loose.jpg": "unknown class",
    "dt=someday/nevus/a.jpg": "bad date folder",
    "melanoma/under two classes.jpg": "same pixels under two classes",
    "seborrheic_keratosis/under two classes too.jpg": "same pixels under two classes",
}


def test_every_object_is_accounted_for_once(empty_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept, quarantined or a duplicate: each object exactly once, with its reason, and the counts add up."""
    store, files = empty_store, {**plenty(), **awkward()}
    upload(store, files)
    listed = Store.list

    def list_then_delete(self: Store, prefix: str) -> Iterator[Any]:
        yield from list(listed(self, prefix))
        self.delete(self.layout.raw_prefix() + "nevus/vanishes.jpg")

    monkeypatch.setattr(Store, "list", list_then_delete)
    found = run(store, "r1", data=LENIENT, max_megapixels=1)
    seen = set(files) - {"labels.csv", "dt=2027-01-01/nevus/of a later run.jpg"}
    assert Counter([*found.images, *found.quarantine, *found.duplicates]) == Counter(seen)
    assert {key: row["reason"] for key, row in found.quarantine.items()} == REASONS
    assert set(found.duplicates) == {"melanoma/repeated.jpg", "melanoma/same pixels, other bytes.jpg"}
    manifest = found.manifest
    kept = sum(manifest.images(split) for split in ("train", "valid", "test"))
    assert manifest.listed == len(seen) == kept + manifest.quarantined + manifest.duplicates
    assert manifest.quarantine_reasons == dict(Counter(REASONS.values()))
    assert not manifest.synthetic
    check_shards(store, found)


def test_a_dataset_without_what_went_away_is_another_than_the_one_with_it(
    empty_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two runs that listed the same, one came too late for an image: its dataset is not the other's."""
    upload(empty_store, {**plenty(10), "nevus/fleeting.jpg": jpeg(77)})
    listed = list(empty_store.list(empty_store.layout.raw_prefix()))
    real_list = Store.list

    def list_and_lose(self: Store, prefix: str) -> Iterator[Any]:
        if prefix != self.layout.raw_prefix():
            return real_list(self, prefix)
        self.delete(self.layout.raw_prefix() + "nevus/fleeting.jpg")
        return iter(listed)

    monkeypatch.setattr(Store, "list", list_and_lose)
    late = run(empty_store, "late")
    monkeypatch.setattr(Store, "list", real_list)
    upload(empty_store, {"nevus/fleeting.jpg": jpeg(77)})
    in_time = run(empty_store, "in-time")
    assert late.report.inputs_id == in_time.report.inputs_id
    assert late.manifest.dataset_id != in_time.manifest.dataset_id
    assert late.quarantine["nevus/fleeting.jpg"]["reason"] == "vanished before it was read"
    assert "nevus/fleeting.jpg" in in_time.images
    assert late.manifest.listed == in_time.manifest.listed == 31


def test_two_runs_at_once_make_one_dataset(empty_store: Store) -> None:
    """Both finish, both name the same dataset, and what lies in S3 is what dataset.json says, to the last byte."""
    upload(empty_store, {**plenty(10), "nevus/broken.jpg": b"x" * 50})
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(partial(run, empty_store), ("r1", "r2"))
    assert not (first.report.reused and second.report.reused)
    assert first.manifest.dataset_id == second.manifest.dataset_id
    assert first.manifest.fingerprint == second.manifest.fingerprint
    for shard in first.manifest.shards:
        assert hashlib.sha256(empty_store.get_bytes(shard.key)).hexdigest() == shard.sha256
    assert run(empty_store, "r3").report.reused


def check_shards(store: Store, found: Any) -> None:
    """Shards hold the images of the table, once each, in the folder of their split and class."""
    manifest = found.manifest
    rows = {}
    for split, label, feature in records(store, manifest):
        key = feature["key"].bytes_list.value[0].decode().removeprefix(store.layout.raw_prefix())
        assert key not in rows
        body = feature["image"].bytes_list.value[0]
        assert len(body) == SIZE * SIZE * 3
        assert hashlib.sha256(body).hexdigest() == found.images[key]["pixel_sha256"]
        assert manifest.classes[feature["label"].int64_list.value[0]] == label
        rows[key] = (split, label)
        if key == "melanoma/000.jpg":
            assert feature["age"].float_list.value[0] == 55
            assert feature["sex"].bytes_list.value[0] == b"male"
        if key == "melanoma/001.jpg":
            assert "age" not in feature
            assert feature["group"].bytes_list.value[0]
    assert rows == {key: (row["split"], row["class"]) for key, row in found.images.items()}
    assert sum(shard.records for shard in manifest.shards) == len(rows)
    assert found.images["melanoma/001.jpg"]["split"] == found.images["melanoma/002.jpg"]["split"]
    card = store.get_bytes(store.layout.dataset_card(manifest.dataset_id)).decode()
    assert manifest.fingerprint in card
    assert card.count("data:image/jpeg;base64,") >= 12
    assert not re.search(r"(src|href)=\"(?!data:)", card), "the card needs nothing beside it"


def test_added_images_cost_only_themselves_and_move_no_old_one(
    empty_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Unchanged input is found finished; after more arrive, only they are decoded, and old splits stand."""
    upload(empty_store, plenty(14))
    with caplog.at_level("INFO"):
        first = run(empty_store, "r1")
        again = run(empty_store, "r2")
        darker = ImageEnhance.Brightness(photo(3)).enhance(0.85)
        added = {**plenty(3, begin=500), "melanoma/darker.jpg": saved(darker, quality=80)}
        upload(empty_store, added)
        more = run(empty_store, "r3")
        other_split = run(empty_store, "r4", split_salt="pepper")
    decoded = [int(n) for n in re.findall(r"decoding [\d,]+/([\d,]+) images", caplog.text)]
    assert (first.report.reused, again.report.reused, more.report.reused) == (False, True, False)
    assert again.report.dataset_id == first.report.dataset_id != more.report.dataset_id
    assert list(dict.fromkeys(decoded)) == [42, 10, 0]
    assert first.splits().items() <= more.splits().items()
    assert set(more.splits()) == set(first.splits()) | set(added)
    assert more.splits()["melanoma/darker.jpg"] == more.splits()["melanoma/003.jpg"]
    assert [row["straddles"] for row in more.near_duplicates] == ["false"]
    assert other_split.splits() != more.splits()


def test_a_run_sees_the_data_up_to_its_date(empty_store: Store) -> None:
    """Two runs of different dates see different data sets, and agree on the images that both see."""
    dated = {f"dt=2026-03-0{day}/nevus/{day}{n}.jpg": jpeg(100 * day + n) for day in (1, 2) for n in range(4)}
    upload(empty_store, {**plenty(10), **dated})
    before = run(empty_store, "r1", until=datetime(2026, 2, 28, tzinfo=UTC))
    first = run(empty_store, "r2", until=datetime(2026, 3, 1, tzinfo=UTC))
    second = run(empty_store, "r3", until=datetime(2026, 3, 2, tzinfo=UTC))
    assert [len(one.images) for one in (before, first, second)] == [30, 34, 38]
    assert before.splits().items() <= first.splits().items() <= second.splits().items()


def test_an_official_split_is_kept_and_its_leaks_are_reported(empty_store: Store) -> None:
    """Folders decide, also for one photograph or one patient on two sides, which is reported; no test folder, no test
    split.
    """
    files = {f"train/{key}": body for key, body in plenty(3).items()}
    files |= {f"valid/{key}": body for key, body in plenty(3, begin=50).items()}
    leak = {key: jpeg(70007) for key in ("train/nevus/same.jpg", "valid/nevus/same.jpg", "valid/nevus/same again.jpg")}
    labels = b"image_id,patient_id\n000,P1\n050,P1\n051,P2\n"
    upload(empty_store, {**files, **leak, "labels.csv": labels})
    found = run(empty_store, "r1")
    assert all(row["split"] == key.split("/")[0] for key, row in found.images.items())
    assert found.manifest.official_split
    assert found.manifest.images("test") == 0
    assert len(found.duplicates) == 1
    assert found.manifest.straddling_pairs == 1
    assert [row["straddles"] for row in found.near_duplicates] == ["true"]
    assert found.straddling_groups == [{"kind": "patient", "id": "P1", "train": "3", "valid": "3", "test": "0"}]
    assert found.manifest.straddling_groups == 1
    card = empty_store.get_bytes(empty_store.layout.dataset_card(found.manifest.dataset_id)).decode()
    assert "Leaks of the official split" in card
    assert "dermaflow/raw/train/nevus/same.jpg" in card


def test_too_many_unusable_images_stop_the_run_before_shards_are_written(empty_store: Store) -> None:
    """The error counts by reason, names the first keys and the limit; nothing looks like a dataset."""
    bad = {f"nevus/bad {n}.jpg": b"x" * 100 for n in range(7)}
    upload(empty_store, {**plenty(10), **bad, "nevus/empty.jpg": b""})
    with pytest.raises(JobError) as raised:
        run(empty_store, "r1")
    message = str(raised.value)
    assert "8 of 38 objects are unusable (21.1%), more than max_bad_share = 5.0%" in message
    assert "7 not a readable image: s3://" in message
    assert "nevus/bad 0.jpg" in message
    assert "1 zero bytes" in message
    assert "max_bad_share" in (raised.value.remedy or "")
    assert not list(empty_store.list(f"{empty_store.layout.prefix}datasets/"))
    lenient = run(empty_store, "r2", data={"max_bad_share": 0.5})
    with pytest.raises(JobError, match="more than max_bad_share"):
        run(empty_store, "r3")
    assert outcome(empty_store, "r2").manifest == lenient.manifest


def test_a_half_written_dataset_is_never_taken_for_a_finished_one(
    empty_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies after its shards leaves no dataset.json; the next one finishes, the same to the last byte."""
    upload(empty_store, plenty(10))

    def die(*_: Any) -> None:
        raise RuntimeError("the node went away")

    monkeypatch.setattr(job, "write_tables", die)
    with pytest.raises(RuntimeError, match="the node went away"):
        run(empty_store, "r1")
    monkeypatch.undo()
    left = [one["Key"] for one in empty_store.list(f"{empty_store.layout.prefix}datasets/")]
    assert [key for key in left if key.endswith(".tfrecord")]
    assert not [key for key in left if key.endswith("dataset.json")]
    finished = run(empty_store, "r2")
    assert not finished.report.reused
    empty_store.delete(empty_store.layout.dataset_manifest(finished.report.dataset_id))
    assert run(empty_store, "r3").manifest.fingerprint == finished.manifest.fingerprint


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ((), "no images under s3://"),
        (("nevus/a.jpg", "melanoma/a.jpg"), "no image of seborrheic_keratosis"),
        (("Nevus/a.jpg", "naevi/b.jpg"), "Under no known class: dermaflow/raw/Nevus/a.jpg, dermaflow/raw/naevi/b.jpg"),
    ],
)
def test_missing_images_are_told_before_anything_is_read(
    empty_store: Store, keys: tuple[str, ...], message: str
) -> None:
    """An empty folder, an absent class, folders by other names: what, where, what to do."""
    upload(empty_store, dict.fromkeys(keys, b"x"))
    with pytest.raises(JobError, match=re.escape(message)) as raised:
        run(empty_store, "r1")
    assert "Upload" in (raised.value.remedy or "")
