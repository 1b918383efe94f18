import pytest

from dermaflow_jobs.preprocess.labels import Label, read_labels
from dermaflow_jobs.runtime.errors import JobError


def test_what_is_known_is_read_and_the_rest_is_unknown() -> None:
    """Under the column names of several archives, with a byte order mark, in any order; unknown in any spelling."""
    table = "\ufeffsex,image_id,age_approx,lesion_id,diagnosis\nMale,a,55,L1,nevus\nunknown,b,NaN,,x\n,c,,L1,\n"
    assert read_labels(table.encode(), "labels.csv") == {
        "a": Label("L1", None, 55.0, "male"),
        "b": Label(),
        "c": Label("L1"),
    }
    assert read_labels(b"image_id,age,patient_id\na,0,P\na,0,P\n", "x") == {"a": Label(None, "P", 0.0)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"id,age\n1,2\n", "no column image_id, but id, age"),
        (b"", "no column image_id, but nothing"),
        (b"image_id,age\na,old\n", "line 2: age 'old' is no number"),
        (b"image_id,age\na,5\nb,inf\n", "line 3: age 'inf' is not between 0 and 130 years"),
        (b"image_id,age\na,-1\n", "line 2: age '-1' is not between"),
        (b"image_id,patient_id\na,P1\na,P2\n", "line 3: 'a' has another row that says otherwise"),
        (b"image_id,age\n\xff,1\n", "codec can't decode"),
    ],
)
def test_a_table_that_cannot_be_relied_on_stops_the_run(table: bytes, message: str) -> None:
    """Going without, or with half of it, would change the splits and nobody would know."""
    with pytest.raises(JobError) as raised:
        read_labels(table, "s3://b/labels.csv")
    assert message in str(raised.value)
    assert "s3://b/labels.csv is no table of images" in str(raised.value)
