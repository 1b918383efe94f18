import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dermaflow_jobs.contract.dataset import SPLITS
from dermaflow_jobs.preprocess.duplicates import groups_by
from dermaflow_jobs.preprocess.split import SplitRule, place

RULE = SplitRule("salt", valid_share=0.3, test_share=0.2)


def contents(count: int) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]


@st.composite
def collections(draw: st.DrawFn) -> tuple[int, dict[int, list[int]]]:
    """Some images, and which resembles which earlier ones."""
    count = draw(st.integers(1, 40))
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=40))
    resembles: dict[int, list[int]] = {}
    for a, b in pairs:
        if a != b:
            resembles.setdefault(max(a, b), []).append(min(a, b))
    return count, resembles


@given(collections(), st.integers(1, 40))
def test_later_images_move_no_earlier_one(collection: tuple[int, dict[int, list[int]]], known: int) -> None:
    """Placing the first images alone gives what placing all of them gives."""
    count, resembles = collection
    known = min(known, count)
    every = place(contents(count), [None] * count, resembles, RULE)
    assert place(contents(known), [None] * known, resembles, RULE) == every[:known]


@given(collections())
def test_no_resemblance_straddles_splits(collection: tuple[int, dict[int, list[int]]]) -> None:
    """Two images that resemble each other are in one split, or one of them is left out."""
    count, resembles = collection
    placed = place(contents(count), [None] * count, resembles, RULE)
    for later, earlier_ones in resembles.items():
        for earlier in earlier_ones:
            assert placed[later] == placed[earlier] or None in {placed[later], placed[earlier]}


@given(collections(), st.data())
def test_an_official_split_is_kept_and_drawn_to(
    collection: tuple[int, dict[int, list[int]]], data: st.DataObject
) -> None:
    """Nothing moves an image out of its official split; an image without one joins its kin there."""
    count, resembles = collection
    official = data.draw(st.lists(st.sampled_from([None, *SPLITS]), min_size=count, max_size=count))
    placed = place(contents(count), official, resembles, RULE)
    assert all(given in (None, got) for given, got in zip(official, placed, strict=True))


def test_shares_are_about_what_was_asked_for() -> None:
    """Of 4,000 images, within three standard deviations."""
    counts = Counter(map(RULE.by_content, contents(4000)))
    assert abs(counts["valid"] - 1200) < 90
    assert abs(counts["test"] - 800) < 80


def test_another_validation_share_moves_nothing_into_or_out_of_the_test_split() -> None:
    """Models of different validation shares can be compared on one test set; another salt is another split."""
    wider = SplitRule("salt", valid_share=0.4, test_share=0.2)
    other = SplitRule("pepper", valid_share=0.3, test_share=0.2)
    some = contents(500)
    assert [RULE.by_content(c) == "test" for c in some] == [wider.by_content(c) == "test" for c in some]
    assert [RULE.by_content(c) for c in some] != [other.by_content(c) for c in some]


def test_images_of_one_lesion_or_patient_form_a_group() -> None:
    """Every later member is linked to earlier ones; unknown is nobody's kin."""
    assert set(groups_by(["a", None, "a", "b", None, "a"])) == {(0, 2), (0, 5), (2, 5)}
