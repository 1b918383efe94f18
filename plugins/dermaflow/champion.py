"""Which model is the champion: weighed by a pure rule, written by compare-and-swap, every one ever kept.

models/champion.json             the present one; whoever writes it has compared with what he replaces
models/history/000007.json       the seventh, as it was crowned
models/kept/<model_id>/          what was crowned: model, metrics, predictions, card; no later run overwrites them
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from dermaflow.comparison import LEAST_IMAGES, compare, read_answers
from dermaflow.errors import NothingToGoBackTo, WriteConflict
from dermaflow.storage import Storage, Versioned
from dermaflow_jobs.contract.champion import Champion, Comparison
from dermaflow_jobs.contract.metrics import Metrics
from dermaflow_jobs.contract.options import PromotionOptions
from dermaflow_jobs.contract.s3_layout import Layout

TRIES: Final = 60
T = TypeVar("T")
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Verdict:
    promoted: bool
    why: str
    comparison: Comparison | None = None
    open: bool = False
    """The numbers cannot say; a person may."""
    already: bool = False
    """It is the champion as things stand: nothing to write, nobody to ask."""


@dataclass(frozen=True)
class Present:
    """The champion that stands, and the very object that says so."""

    champion: Champion | None
    seen: Versioned | None

    @classmethod
    def read(cls, storage: Storage) -> Present:
        key = storage.layout.champion()
        seen = storage.read(key)
        return cls(Champion.parse(seen.body, source=storage.layout.uri(key)) if seen else None, seen)

    @property
    def name(self) -> str | None:
        return self.champion.name if self.champion else None


def challenger(metrics: Metrics, layout: Layout, at: datetime, *, model_id: str) -> Champion | None:
    """As it would be crowned; None where the validation split gives no mean AUC."""
    valid = metrics.splits.get("valid")
    if valid is None or valid.mean_auc is None:
        return None
    kept = layout.kept_prefix(model_id)
    return Champion(
        run_key=metrics.run_key,
        dataset_id=metrics.dataset_id,
        model_id=model_id,
        model_key=f"{kept}model.keras",
        predictions_key=f"{kept}predictions-valid.csv",
        metrics_key=f"{kept}metrics.json",
        card_key=f"{kept}model_card.html",
        model=metrics.model,
        classes=metrics.classes,
        image_size=metrics.image_size,
        mean_auc=valid.mean_auc,
        mean_auc_interval=valid.intervals.get("mean_auc"),
        sensitivity=valid.sensitivity,
        valid_images=valid.images,
        synthetic=metrics.synthetic,
        crowned_at=at,
    )


def weigh(storage: Storage, new: Champion, current: Champion | None, options: PromotionOptions) -> Verdict:
    """The rule, with what both models said of the same images where it takes that."""
    if current is None:
        return Verdict(True, "there was no champion")
    return judge_by_kind(new, current) or _weigh_answers(storage, new, current, options)


def judge_by_kind(new: Champion, current: Champion) -> Verdict | None:
    """What needs no numbers: a model of real images beats any of drawn ones."""
    if new.model_id == current.model_id:
        return Verdict(True, "it is the champion already", current.comparison, already=True)
    if current.synthetic != new.synthetic:
        kind = "drawn images, the champion on real ones" if new.synthetic else "real images, the champion on drawn ones"
        return Verdict(not new.synthetic, f"trained on {kind}")
    return None


def _weigh_answers(storage: Storage, new: Champion, current: Champion, options: PromotionOptions) -> Verdict:
    ours = storage.read(storage.layout.predictions(new.run_key, "valid"))
    theirs = storage.read(storage.layout.champion_predictions(new.run_key, current.name))
    if theirs is None and current.predictions_key:
        # crowned since the challenger was evaluated: its own validation split, as far as it is the challenger's too
        theirs = storage.read(current.predictions_key)
    classes = new.classes
    if ours is None or theirs is None or set(classes) != set(current.classes or classes):
        return Verdict(False, f"it cannot be compared with {current.name}: they share no held-out images", open=True)
    found = compare(read_answers(ours.body, classes), read_answers(theirs.body, classes), classes, name=current.name)
    if found is None:
        few = f"fewer than {LEAST_IMAGES} held-out images of some class that both were asked about"
        return Verdict(False, f"it cannot be compared with {current.name}: {few}", open=True)
    return judge(found, options)


def judge(found: Comparison, options: PromotionOptions) -> Verdict:
    """Surely better by mean AUC, and it misses no more of the guarded class."""
    new, old, guarded = found.challenger_scores, found.champion_scores, options.guarded_class
    numbers = (
        f"mean AUC {new.mean_auc:.4f} against {old.mean_auc:.4f} of {found.champion} on the same {found.images} images,"
        f" better in {100 * found.confidence:.1f} % of {found.resamplings} resamplings"
    )
    if found.difference <= 0 or found.confidence < options.promotion_confidence:
        return Verdict(False, f"{numbers}; {100 * options.promotion_confidence:g} % are needed", found)
    if guarded in new.sensitivity and new.sensitivity[guarded] < old.sensitivity[guarded]:
        worse = f"sensitivity for {guarded} {new.sensitivity[guarded]:.3f} against {old.sensitivity[guarded]:.3f}"
        return Verdict(False, f"{numbers}, but {worse}", found)
    return Verdict(True, numbers, found)


def crown(
    storage: Storage,
    new: Champion,
    decide: Callable[[Champion | None], Verdict],
    *,
    decided_by: str | None = None,
    sleep: Sleep = time.sleep,
) -> Verdict:
    """Make it champion if `decide` says so of the present one; of two runs at once, the better one stays."""

    def attempt() -> Verdict | None:
        present = Present.read(storage)
        verdict = decide(present.champion)
        if not verdict.promoted or verdict.already:
            return verdict
        keep(storage, new)
        told = {"why": verdict.why, "comparison": verdict.comparison, "decided_by": decided_by}
        return verdict if _succeed(storage, present, new.model_copy(update=told)) else None

    return _until(attempt, storage, sleep)


def roll_back(
    storage: Storage,
    *,
    to: int | None = None,
    why: str = "",
    decided_by: str | None = None,
    sleep: Sleep = time.sleep,
) -> Champion:
    """Crown an earlier champion again, by its number; None: the one whose place the present one took."""

    def attempt() -> Champion | None:
        present = Present.read(storage)
        old = earlier_champion(storage, present.champion, to)
        again = {
            "crowned_at": datetime.now(UTC),
            "crowned_by": "rollback",
            "why": f"back to number {old.number}" + (f": {why}" if why else ""),
            "comparison": None,
            "decided_by": decided_by,
        }
        return _succeed(storage, present, old.model_copy(update=again))

    return _until(attempt, storage, sleep)


def history(storage: Storage) -> Iterator[Champion]:
    """Every champion ever, oldest first; the present one is the last."""
    present = Present.read(storage).champion
    last = 0
    for key in storage.keys(storage.layout.champion_history_prefix()):
        if found := storage.find(key, Champion):
            last = found.number
            yield found
    if present and present.number > last:
        yield present


def keep(storage: Storage, champion: Champion) -> None:
    """Copies that stay as they are when the run's date is run again. The model comes last: with it, all are there."""
    layout, run_key = storage.layout, champion.run_key
    if storage.exists(champion.model_key):
        return
    for source, target in (
        (layout.metrics(run_key), champion.metrics_key),
        (layout.predictions(run_key, "valid"), champion.predictions_key),
        (layout.model_card(run_key), champion.card_key),
        (layout.model(run_key), champion.model_key),
    ):
        if target and (target == champion.model_key or storage.exists(source)):
            storage.copy(source, target)


def model_id(run_key: str, etag: str) -> str:
    """Of these very bytes of the run's model."""
    version = etag.strip('"')[:12]
    return f"{run_key}-{version}"


def _succeed(storage: Storage, present: Present, new: Champion) -> Champion | None:
    """Put it in the present one's place; None if somebody else was faster. History first: it never lacks one."""
    old = present.champion
    if old:
        _remember(storage, old)
    crowned = new.model_copy(update={"number": old.number + 1 if old else 1, "dethroned": old.run_key if old else None})
    key = storage.layout.champion()
    if not storage.replace(key, crowned.to_json().encode(), seen=present.seen, content_type="application/json"):
        return None
    _remember(storage, crowned)
    return crowned


def _remember(storage: Storage, champion: Champion) -> None:
    key = storage.layout.champion_history(champion.number)
    storage.replace(key, champion.to_json().encode(), seen=None, content_type="application/json")


def earlier_champion(storage: Storage, present: Champion | None, to: int | None) -> Champion:
    """By its number; None: the one whose place the present model took. Raises NothingToGoBackTo."""
    earlier = [each for each in history(storage) if present and each.number < present.number]
    wanted = [each for each in earlier if each.number == to] if to is not None else _other_models(earlier, present)
    if not wanted:
        raise NothingToGoBackTo(
            attempted="tried to go back to",
            resource=f"champion number {to}" if to is not None else "the champion before",
            reason=f"the history has {', '.join(str(each.number) for each in earlier) or 'nothing'} before the present",
            remedy=f"see {storage.layout.uri(storage.layout.champion_history_prefix())}; give one of these as `to`",
        )
    return wanted[-1]


def _other_models(earlier: list[Champion], present: Champion | None) -> list[Champion]:
    """Before the present model first reigned: rolling back twice goes two models back, not forth again."""
    first = next((each.number for each in earlier if present and each.name == present.name), None)
    return [each for each in earlier if first is None or each.number < first]


def _until(attempt: Callable[[], T | None], storage: Storage, sleep: Sleep) -> T:
    for number in range(TRIES):
        done = attempt()
        if done is not None:
            return done
        sleep(random.uniform(0, min(2.0, 0.05 * 2**number)))  # noqa: S311 - spreads writers
    raise WriteConflict(
        attempted=f"tried {TRIES} times to write",
        resource=storage.layout.uri(storage.layout.champion()),
        reason="other runs kept writing it",
        remedy="clear this task",
    )
