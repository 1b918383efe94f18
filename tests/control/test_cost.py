"""What a run may cost, will cost, and has cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_account import Account
from botocore.stub import Stubber
from emr_requests import create
from fake_run import FakeRun
from test_ledger import metrics, record

from dermaflow.emr.cost import Bill, cluster_cost, split, united
from dermaflow.emr.estimate import estimate, expected_minutes
from dermaflow.emr.prices import Price, PriceList, hourly_prices, offline, price_list
from dermaflow.form import flat
from dermaflow.ledger import read_ledger, record_run
from dermaflow.operators.account_cost import AccountCostOperator, merged
from dermaflow.operators.terminate_cluster import TerminateClusterOperator
from dermaflow.run import run_key_of
from dermaflow.storage import Storage
from dermaflow_jobs.contract.cost import ClusterCost, RunCost, cost_in_card, with_cost
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.options import ClusterOptions, RunOptions, TrainOptions
from dermaflow_jobs.contract.s3_layout import Layout

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PRICES = {"m6i.xlarge": Price(0.192, 0.048, spot=0.06), "r6i.xlarge": Price(0.252, 0.063)}


def at(minute: float) -> datetime:
    return NOW + timedelta(minutes=minute)


def timeline(**minutes: float | None) -> dict[str, Any]:
    return {"Status": {"Timeline": {f"{name}DateTime": at(m) for name, m in minutes.items() if m is not None}}}


def node(kind: str, began: float, ready: float | None, ended: float | None, market: str = "ON_DEMAND") -> Any:
    return {"InstanceType": kind, "Market": market, **timeline(Creation=began, Ready=ready, End=ended)}


def bill(*instances: Any, steps: tuple[tuple[float, float | None], ...] = (), ended: float | None = 60) -> Bill:
    cluster = {"Id": "j-1", **timeline(Creation=0, Ready=10, End=ended)}
    return Bill(cluster, instances, [timeline(Start=start, End=end) for start, end in steps])


# ---- afterwards


def test_a_cluster_s_cost_is_told_apart_into_bootstrap_work_and_idling() -> None:
    """Ten minutes until ready, thirty with a step, twenty without: of an hour of one node at 0.24 USD."""
    found = cluster_cost(bill(node("m6i.xlarge", 0, 8, 60), steps=((10, 25), (25, 30), (40, 50))), PRICES, at(90))
    assert found.bootstrap_usd == pytest.approx(0.24 * 10 / 60)
    assert found.working_usd == pytest.approx(0.24 * 30 / 60)
    assert found.idle_usd == pytest.approx(0.24 * 20 / 60)
    assert found.usd == pytest.approx(0.24)
    assert (found.minutes, found.node_hours) == (60, 1)


def test_spot_nodes_cost_the_spot_price_and_late_ones_their_own_bootstrap() -> None:
    """EMR's surcharge is the same for both; a node that joined at minute 20 was ready at 25."""
    late = node("m6i.xlarge", 20, 25, 50, market="SPOT")
    found = cluster_cost(bill(late, steps=((10, 60),)), PRICES, at(90))
    assert found.nodes == {"m6i.xlarge spot": 1}
    assert found.bootstrap_usd == pytest.approx((0.06 + 0.048) * 5 / 60)
    assert found.working_usd == pytest.approx((0.06 + 0.048) * 25 / 60)
    assert found.idle_usd == 0
    without = cluster_cost(bill(node("r6i.xlarge", 0, 10, 60, market="SPOT")), PRICES, at(90))
    assert without.usd == pytest.approx(0.315)  # no spot price is known: the on-demand price is its upper bound


def test_what_still_runs_is_reckoned_until_now_and_a_short_life_by_the_minute() -> None:
    """EC2 bills a minute at least; a type without a price is named and in no sum."""
    found = cluster_cost(
        bill(
            node("m6i.xlarge", 0, None, None), node("m6i.xlarge", 0, None, 0.1), node("x9.huge", 0, 5, 10), ended=None
        ),
        PRICES,
        at(30),
    )
    assert found.ended_at is None
    assert found.usd == pytest.approx(0.24 * 30 / 60 + 0.24 / 60)
    assert found.unpriced == ("x9.huge",)
    assert found.nodes == {"m6i.xlarge": 2, "x9.huge": 1}


def test_a_cluster_that_never_came_up_was_all_bootstrap() -> None:
    never = Bill({"Id": "j-1", **timeline(Creation=0, End=12)}, [node("m6i.xlarge", 0, None, 12)], [])
    found = cluster_cost(never, PRICES, at(60))
    assert (found.bootstrap_usd, found.idle_usd) == (pytest.approx(0.24 * 12 / 60), 0)


@pytest.mark.parametrize(
    ("spans", "joined"),
    [
        ([(1, 2), (3, 4)], [(1, 2), (3, 4)]),
        ([(3, 5), (1, 3)], [(1, 5)]),
        ([(1, 9), (2, 3), (8, 10)], [(1, 10)]),
    ],
)
def test_steps_side_by_side_are_not_counted_twice(spans: Any, joined: Any) -> None:
    """Above a step concurrency of one."""
    assert united([(at(a), at(b)) for a, b in spans]) == [(at(a), at(b)) for a, b in joined]


def test_the_parts_of_a_node_s_time_always_add_up() -> None:
    """Whatever lies before, across or after its life."""
    for ready in (-5, 0, 7, 99):
        parts = split((at(0), at(50)), at(ready), [(at(-9), at(3)), (at(20), at(30)), (at(45), at(70))])
        assert sum(parts, timedelta()) == timedelta(minutes=50)
        assert min(parts) >= timedelta()


def test_a_run_keeps_the_cost_of_every_cluster_it_ever_had() -> None:
    """A date that is run again adds its cluster; what EMR has forgotten stays."""

    def one(name: str, started: float, usd: float) -> ClusterCost:
        return ClusterCost(
            cluster_id=name, started_at=at(started), ended_at=at(started + 9), minutes=9, nodes={"m6i.xlarge": 3},
            node_hours=0.5, bootstrap_usd=usd, working_usd=0, idle_usd=0,
        )  # fmt: skip

    found = merged([one("j-old", 0, 1.0), one("j-1", 60, 0.5)], [one("j-2", 120, 2.0), one("j-1", 60, 0.7)])
    assert [(each.cluster_id, each.usd) for each in found] == [("j-old", 1.0), ("j-1", 0.7), ("j-2", 2.0)]


@pytest.mark.usefixtures("clean")
def test_a_run_s_cost_is_in_its_folder_its_record_and_its_card(account: Account, bucket: str, run: FakeRun) -> None:
    """From a cluster that the stand-in really ran; a second try writes the same."""
    storage = Storage(Layout.of(f"s3://{bucket}/project"), account.s3)
    run_key = run_key_of(run.context())
    record_run(storage, record(metrics(run_key)))
    storage.write(storage.layout.model_card(run_key), f"<p>{cost_in_card()}</p>".encode())
    cluster_id = run.execute(create())
    run.complete(TerminateClusterOperator(task_id="terminate", cluster_id=cluster_id))
    told = AccountCostOperator(task_id="account", root=storage.layout.uri(storage.layout.prefix))
    first, second = run.execute(told), run.execute(told)
    assert first["clusters"] == second["clusters"]
    assert [each["cluster_id"] for each in first["clusters"]] == [cluster_id]
    kept = storage.find(storage.layout.run_cost(run_key), RunCost)
    assert kept
    assert kept.usd > 0
    assert kept.prices_from == "offline_table"
    assert read_ledger(storage)[0].cost == kept
    card = storage.read(storage.layout.model_card(run_key))
    assert card
    assert "USD at list prices" in card.body.decode()
    assert with_cost(card.body.decode(), kept) == card.body.decode()


@pytest.mark.usefixtures("clean")
def test_a_failed_run_s_cost_is_told_without_a_record(account: Account, bucket: str, run: FakeRun) -> None:
    """It has no result, so it is not in the ledger of results; it has no card either."""
    storage = Storage(Layout.of(f"s3://{bucket}/project"), account.s3)
    run.execute(AccountCostOperator(task_id="account", root=storage.layout.uri(storage.layout.prefix)))
    assert storage.exists(storage.layout.run_cost(run_key_of(run.context())))
    assert read_ledger(storage) == []


# ---- before


def past(minutes: float, day: int = 0, **choices: Any) -> LedgerRecord:
    cost = RunCost(
        run_key="r", prices_from="offline_table", prices_as_of=date(2025, 1, 1), region="us-east-1", reckoned_at=NOW,
        clusters=(ClusterCost(
            cluster_id="j", started_at=NOW, ended_at=NOW, minutes=minutes, nodes={}, node_hours=0, bootstrap_usd=0,
            working_usd=0, idle_usd=0,
        ),),
    )  # fmt: skip
    return record(metrics("r", day=day)).model_copy(update={"cost": cost, "choices": flat(RunOptions()) | choices})


def test_the_expected_time_is_that_of_the_runs_most_like_it() -> None:
    """The same work first; else the same model on the same nodes; else the model; else nothing is claimed."""
    mine = flat(RunOptions())
    other_nodes, other_work = past(500, core_count=9), past(90, epochs=99)
    assert expected_minutes(mine, [past(30), past(40), past(20), other_work, other_nodes])[0] == 30
    assert expected_minutes(mine, [other_work, other_nodes])[0] == 90
    assert expected_minutes(mine, [other_nodes]) == (500, "1 earlier run of the same model")
    assert expected_minutes(mine, [past(5, model="seed_cnn")])[0] is None
    assert expected_minutes(mine, [past(float(n), day=n) for n in range(20)])[0] == 17  # the last five


def test_the_estimate_says_worst_case_and_expectation() -> None:
    """The limit is held against the worst case: a limit that a slow run may pass is none."""
    options = RunOptions(cluster=ClusterOptions(core_count=2, max_hours=2))
    prices = PriceList("eu-west-1", "price_list_api", NOW.date(), PRICES)
    found = estimate(options, prices, [past(30)])
    assert found.worst_usd == pytest.approx(2 * 3 * 0.24)
    assert found.expected_usd == pytest.approx(0.5 * 3 * 0.24)
    assert "about 0.36 USD for 30 minutes" in found.text()
    assert "no earlier run" in estimate(RunOptions(train=TrainOptions(model="seed_cnn")), prices, [past(30)]).text()


# ---- prices


def product(usd: str, unit: str = "Hrs") -> str:
    """As the Price List API gives it: JSON in JSON."""
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}, "description": f"${usd} per On Demand Linux"}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": dimension}, "sku": "SKU"}}}
    return json.dumps({"product": {"sku": "SKU", "attributes": {}}, "serviceCode": "AmazonEC2", "terms": terms})


def expected(service: str, kind: str, **more: str) -> dict[str, Any]:
    fields = {"regionCode": "eu-west-1", "instanceType": kind, **more}
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in fields.items()]
    return {"ServiceCode": service, "Filters": filters, "FormatVersion": "aws_v1"}


@pytest.fixture
def clients() -> Callable[[], tuple[Any, Stubber, Any, Stubber]]:
    """Boto3's own clients, which check question and answer against AWS's model; nothing is sent."""

    def make() -> tuple[Any, Stubber, Any, Stubber]:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1"}
        pricing, ec2 = boto3.client("pricing", **keys), boto3.client("ec2", **keys)
        return pricing, Stubber(pricing), ec2, Stubber(ec2)

    return make


def test_prices_come_from_aws_s_price_list(clients: Any) -> None:
    """EC2's and EMR's part in the cluster's region, and spot from EC2's history, a mean over its zones."""
    pricing, asked, ec2, asked_ec2 = clients()
    linux = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    both = {"PriceList": [product("0.0000000000"), product("0.2140000000"), product("9", unit="Quantity")]}
    asked.add_response("get_products", both, expected("AmazonEC2", "m6i.xlarge", **linux))
    only = {"PriceList": [product("0.0480000000")]}
    asked.add_response("get_products", only, expected("ElasticMapReduce", "m6i.xlarge", softwareType="EMR"))
    rows = [{"InstanceType": "m6i.xlarge", "SpotPrice": text} for text in ("0.0700", "0.0900")]
    asked_ec2.add_response("describe_spot_price_history", {"SpotPriceHistory": rows})
    with asked, asked_ec2:
        found = price_list(pricing, ec2, "eu-west-1", ["m6i.xlarge"])
    assert found.source == "price_list_api"
    assert found.prices["m6i.xlarge"] == Price(0.214, 0.048, spot=pytest.approx(0.08))
    assert found.prices["m6i.xlarge"].usd(spot=True) == pytest.approx(0.128)


@pytest.mark.parametrize("failure", ["refused", "not listed", "no spot history"])
def test_where_aws_gives_no_price_the_dated_table_serves(clients: Any, failure: str) -> None:
    """All prices or none: the two sources are not mixed. Spot's lack alone is none."""
    pricing, asked, ec2, asked_ec2 = clients()
    if failure == "refused":
        asked.add_client_error("get_products", "AccessDeniedException", http_status_code=400)
    else:
        asked.add_response("get_products", {"PriceList": [product("0.214")]})
        asked.add_response("get_products", {"PriceList": [] if failure == "not listed" else [product("0.048")]})
    asked_ec2.add_client_error("describe_spot_price_history", "UnauthorizedOperation", http_status_code=403)
    with asked, asked_ec2:
        found = price_list(pricing, ec2, "eu-west-1", ["m6i.xlarge"])
    if failure == "no spot history":
        assert found.prices["m6i.xlarge"].usd(spot=True) == pytest.approx(0.262)
        return
    assert found == offline("eu-west-1")
    assert found.prices["m6i.xlarge"].usd() == pytest.approx(0.24)
    assert "2025" in found.text()


def test_reserved_and_other_units_are_no_hourly_price() -> None:
    """A product's terms hold much else."""
    assert list(hourly_prices({"terms": {"Reserved": {}}})) == []
    assert list(hourly_prices(json.loads(product("7", unit="Quantity")))) == []
