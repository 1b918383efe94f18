"""Which run a task belongs to, and the trigger form."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.sdk.exceptions import ParamValidationError
from fake_run import FakeRun

from dermaflow.form import form_params, leaves, read_form
from dermaflow.run import identity_of, run_key_of
from dermaflow_jobs.contract.options import RunOptions

MONDAY = datetime(2026, 11, 16, 3, tzinfo=UTC)
NEXT = datetime(2026, 11, 23, 3, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["scheduled", "backfill"])
def test_a_date_has_one_place_however_it_is_run(kind: str) -> None:
    """A backfill of a date lands where its scheduled run did, and sees the same data."""
    run = FakeRun(run_id=f"{kind}__x", run_type=kind, logical_date=MONDAY, data_interval_end=NEXT)
    identity = identity_of(run.context())
    assert identity.run_key == "lesions=2026-11-16T03-00-00Z"
    assert identity.data_until == NEXT


def test_a_manual_run_is_named_by_its_id_and_sees_everything_up_to_its_start() -> None:
    """With or without a logical date."""
    for date in (None, MONDAY):
        run = FakeRun(run_id="manual__mine", logical_date=date, data_interval_end=MONDAY)
        assert run_key_of(run.context()) == "lesions=manual__mine"
        assert identity_of(run.context()).data_until == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def test_the_form_offers_every_option_with_its_default() -> None:
    """Nothing in the contract is out of a user's reach, and no two parts share a name."""
    names = [leaf.name for leaf in leaves()]
    assert len(names) == len(set(names))
    defaults = {name: param.value for name, param in form_params().items()}
    assert set(defaults) == {"root", *names}
    options, refused = read_form(defaults)
    assert refused == []
    assert options == RunOptions()


def test_the_form_itself_refuses_what_the_contract_refuses() -> None:
    """Airflow checks a trigger by this schema, before there is a run."""
    params = form_params()
    for name, value in (("epochs", 0), ("model", "resnet9000"), ("subnet_id", "net"), ("root", "/home")):
        with pytest.raises(ParamValidationError):
            params[name].resolve(value)
    assert params["subnet_id"].resolve(None) is None


def test_advanced_options_are_folded_away_below_the_others() -> None:
    sections = [param.schema["section"] for param in form_params().values()]
    first = next(n for n, section in enumerate(sections) if section.endswith(", advanced"))
    assert all(section.endswith(", advanced") for section in sections[first:])
    assert 5 < first < len(sections)


def test_help_tells_the_unit() -> None:
    assert "Unit: px." in str(form_params()["image_size"].description)
