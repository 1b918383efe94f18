from datetime import UTC, date, datetime

from dermaflow_jobs.preprocess.listing import Listing, RawObject, sort_objects
from dermaflow_jobs.preprocess.reasons import Reason

CLASSES = ("melanoma", "nevus")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def listing(*keys: str, until: date = date(2026, 3, 1), size: int = 10) -> Listing:
    objects = [RawObject(f"p/raw/{key}", size, f'"{key}"', NOON) for key in keys]
    return sort_objects(objects, raw="p/raw/", classes=CLASSES, until=until)


def test_class_folders_are_read_with_and_without_split_and_date() -> None:
    """`[dt=…/][split/]class/…` in any combination, folders within a class included."""
    found = listing("nevus/a.jpg", "train/nevus/b.jpg", "dt=2026-02-01/melanoma/x/c.jpg", "dt=2026-02-01/test/nevus/d")
    assert {(image.image_id, image.label, image.split) for image in found.images} == {
        ("a", "nevus", None),
        ("b", "nevus", "train"),
        ("c", "melanoma", None),
        ("d", "nevus", "test"),
    }
    assert found.rejected == ()


def test_a_dated_folder_is_seen_from_its_date_on() -> None:
    """A run sees folders up to the end of its data interval; later ones are not listed at all."""
    keys = ("nevus/always.jpg", "dt=2026-03-01/nevus/today.jpg", "dt=2026-03-02/nevus/tomorrow.jpg")
    assert [i.image_id for i in listing(*keys).images] == ["always", "today"]
    assert [i.image_id for i in listing(*keys, until=date(2026, 2, 28)).images] == ["always"]
    assert [i.image_id for i in listing(*keys, until=date(2026, 3, 2)).images] == ["always", "today", "tomorrow"]
    assert listing(*keys).listed == 2


def test_what_lies_in_no_known_place_is_quarantined_with_a_reason() -> None:
    """Unknown folders, files beside the folders, other kinds of files, markers and dates that are none."""
    found = listing("Melanoma/a.jpg", "loose.jpg", "notes.txt", "nevus/", "dt=2026-2-31/nevus/a.jpg", "nevus/b.csv")
    assert {one.key.removeprefix("p/raw/"): one.reason for one in found.rejected} == {
        "Melanoma/a.jpg": Reason.UNKNOWN_CLASS,
        "loose.jpg": Reason.UNKNOWN_CLASS,
        "notes.txt": Reason.NOT_AN_IMAGE,
        "nevus/": Reason.FOLDER_MARKER,
        "dt=2026-2-31/nevus/a.jpg": Reason.BAD_DATE,
        "nevus/b.csv": Reason.NOT_AN_IMAGE,
    }


def test_labels_csv_is_neither_image_nor_quarantined() -> None:
    """The metadata file at the top is not counted; one of that name elsewhere is a stray file."""
    assert listing("labels.csv").listed == 0
    assert listing("nevus/labels.csv").rejected[0].reason is Reason.NOT_AN_IMAGE


def test_size_alone_can_exclude() -> None:
    """Nothing, and more than a worker's memory is meant for."""
    assert listing("nevus/a.jpg", size=0).rejected[0].reason is Reason.EMPTY
    assert listing("nevus/a.jpg", size=10**9).rejected[0].reason is Reason.TOO_MANY_BYTES


def test_images_come_in_order_of_arrival() -> None:
    """What is uploaded later comes later, wherever it lies; one day's uploads come by date folder, then by time."""
    morning, noon, next_day = (datetime(2026, 1, day, hour, tzinfo=UTC) for day, hour in ((5, 8), (5, 12), (6, 8)))
    objects = [
        RawObject("raw/dt=2026-01-09/nevus/ahead of its date.jpg", 1, "x", morning),
        RawObject("raw/dt=2026-01-02/nevus/dated.jpg", 1, "x", morning),
        RawObject("raw/dt=2026-01-01/nevus/earlier folder.jpg", 1, "x", noon),
        RawObject("raw/dt=2026-01-01/nevus/handed in later.jpg", 1, "x", next_day),
        RawObject("raw/nevus/late.jpg", 1, "x", next_day),
        RawObject("raw/nevus/b.jpg", 1, "x", morning),
        RawObject("raw/nevus/a.jpg", 1, "x", morning),
    ]
    found = sort_objects(objects, raw="raw/", classes=CLASSES, until=date(2026, 2, 1))
    first_day = ["a", "b", "earlier folder", "dated"]
    assert [image.image_id for image in found.images] == [
        *first_day,
        "late",
        "handed in later",
        "ahead of its date",
    ]
