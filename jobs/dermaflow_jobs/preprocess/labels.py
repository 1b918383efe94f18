"""raw/labels.csv: what else is known of the images."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from dermaflow_jobs.runtime.errors import JobError


@dataclass(frozen=True, slots=True)
class Label:
    """None where it is not known."""

    lesion_id: str | None = None
    patient_id: str | None = None
    age: float | None = None
    sex: str | None = None


NOTHING = Label()
OLDEST = 130
_AGE_COLUMNS = ("age", "age_approximate", "age_approx")
_UNKNOWN = {"", "unknown", "na", "nan", "none", "null"}


def read_labels(data: bytes, source: str) -> dict[str, Label]:
    """By image id (file stem). Raises JobError, naming the line, for what is no such table."""
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        if "image_id" not in (reader.fieldnames or ()):
            raise ValueError(f"no column image_id, but {', '.join(reader.fieldnames or ()) or 'nothing'}")
        labels: dict[str, Label] = {}
        for row in reader:
            label = _label(row, reader.line_num)
            if labels.setdefault(row["image_id"], label) != label:
                raise ValueError(f"line {reader.line_num}: {row['image_id']!r} has another row that says otherwise")
        return labels
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise JobError(
            f"{source} is no table of images: {error}",
            remedy="It needs a header with image_id (the file's name without its ending) and any of lesion_id, "
            "patient_id, age, sex. Correct it, or remove it to go without.",
        ) from error


def _label(row: dict[str, str], line: int) -> Label:
    age = next((known for name in _AGE_COLUMNS if (known := _known(row.get(name)))), None)
    try:
        years = float(age) if age is not None else None
    except ValueError:
        raise ValueError(f"line {line}: age {age!r} is no number") from None
    if years is not None and not 0 <= years <= OLDEST:
        raise ValueError(f"line {line}: age {age!r} is not between 0 and {OLDEST} years")
    sex = _known(row.get("sex"))
    return Label(_known(row.get("lesion_id")), _known(row.get("patient_id")), years, sex.lower() if sex else None)


def _known(value: str | None) -> str | None:
    text = (value or "").strip()
    return None if text.lower() in _UNKNOWN else text
