"""Which run a task belongs to, and the trigger form."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.sdk.exceptions import ParamValidationError
from fake_run import FakeRun

from dermaflow.form import form_params, read_form, resolved
from dermaflow.leaves import leaves
from dermaflow.run import identity_of, run_key_of
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.presets import PRESETS

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


def test_the_form_offers_every_option_and_left_alone_means_the_defaults() -> None:
    """Nothing in the contract is out of a user's reach, and no two parts share a name."""
    names = [leaf.name for leaf in leaves()]
    assert len(names) == len(set(names))
    untouched = {name: param.resolve() for name, param in form_params().items()}
    assert set(untouched) == {"preset", "root", *names}
    assert untouched["preset"] == "standard"
    assert read_form(untouched) == (RunOptions(), [])
    assert read_form({}) == (RunOptions(), [])


def test_the_form_itself_refuses_what_the_contract_refuses() -> None:
    """Airflow checks a trigger by this schema, before there is a run."""
    params = form_params()
    wrong = {
        "epochs": 0,
        "model": "resnet9000",
        "core_security_group": "net",
        "root": "/home",
        "preset": "best",
        "ema": 1,
    }
    for name, value in wrong.items():
        with pytest.raises(ParamValidationError):
            params[name].resolve(value)
    with pytest.raises(ParamValidationError):
        params["eight_views"].resolve("perhaps")
    assert params["core_security_group"].resolve(None) is None


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_what_was_left_empty_and_nothing_else(preset: str) -> None:
    """What somebody gives counts, be it the option's own default."""
    options, refused = read_form({"preset": preset, "epochs": RunOptions().train.epochs, "shard_mb": 64})
    assert refused == []
    values = {name: value for part in options.model_dump(mode="json").values() for name, value in part.items()}
    expected = {**PRESETS[preset].values, "epochs": RunOptions().train.epochs, "shard_mb": 64}
    assert {name: values[name] for name in expected} == expected
    defaults = {leaf.name: leaf.default for leaf in leaves() if leaf.name not in expected}
    assert {name: values[name] for name in defaults} == defaults


def test_a_preset_is_made_of_options_within_their_ranges() -> None:
    """A typing error in a preset would otherwise be told to whoever picks it."""
    for preset in PRESETS:
        assert read_form({"preset": preset})[1] == []
    assert set().union(*(preset.values for preset in PRESETS.values())) <= {leaf.name for leaf in leaves()}


def test_a_switch_that_a_preset_decides_can_be_on_off_or_empty() -> None:
    """The form writes on and off out, since a switch has no third position; JSON may say true and false."""
    param = form_params()["eight_views"]
    for value, meant in (("on", True), ("off", False), (True, True), (False, False), (None, False)):
        options, _ = read_form({"preset": "quick", "eight_views": param.resolve(value)})
        assert options.train.eight_views is meant, value


def test_an_unknown_preset_or_param_is_refused_with_what_is_allowed() -> None:
    """Also where Airflow's own check was passed by, as with params that a DAG sets itself."""
    _, refused = read_form({"preset": "best", "epoch": 3})
    assert {each.name: each.allowed for each in refused} == {
        "preset": "one of quick, standard, accurate, project_2021",
        "epoch": "no such param; did you mean epochs?",
    }


def test_what_most_people_change_is_open_and_the_rest_folded_by_part() -> None:
    """Airflow opens the section of params that name none and folds every other one."""
    sections = {name: param.schema.get("section") for name, param in form_params().items()}
    open_ones = [name for name, section in sections.items() if section is None]
    assert open_ones[:2] == ["preset", "root"]
    assert list(sections)[: len(open_ones)] == open_ones
    assert {"model", "epochs", "max_cost_usd"} <= set(open_ones)
    assert {leaf.name for leaf in leaves() if leaf.advanced} == {name for name in sections if name not in open_ones}


def test_a_number_out_of_range_is_refused_and_not_corrected() -> None:
    """Airflow's number field moves a value into the range that it is told, and would start the run with that."""
    params = form_params()
    for name, param in params.items():
        assert not {"minimum", "maximum"} & set(param.schema), name
    for name, value in (("image_size", 7), ("image_size", 513), ("core_count", 0), ("valid_share", 0.5)):
        with pytest.raises(ParamValidationError, match=str(value)):
            params[name].resolve(value)


def test_no_text_field_starts_with_an_empty_text() -> None:
    """Airflow's form calls such a field missing and never lets anybody press Trigger; None may be left empty."""
    assert [name for name, param in form_params().items() if param.value == ""] == []


def test_help_tells_the_range_and_what_each_preset_says() -> None:
    """So that an empty field is no riddle."""
    help_text = str(form_params()["image_size"].description)
    assert "Allowed: 32 to 512 px." in help_text
    assert "Allowed: above 0, at most 1." in str(form_params()["learning_rate"].description)
    assert (
        "Empty: as the preset says (quick 64 px, standard 100 px, accurate 256 px, project_2021 100 px)." in help_text
    )


def test_the_log_says_of_every_value_whose_choice_it_was() -> None:
    """A value that the form merely sent along is nobody's choice."""
    params = {name: param.resolve() for name, param in form_params().items()}
    params |= {"preset": "accurate", "epochs": 20, "core_count": 5}
    text = resolved(params, read_form(params)[0])
    said = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert set(said) == {leaf.name for leaf in leaves()}
    assert said["epochs"].endswith("set for this run")
    assert said["core_count"].endswith("set for this run")
    assert said["image_size"].split() == ["image_size", "256", "px", "preset", "accurate"]
    assert said["seed"].split() == ["seed", "2021"]
