"""What an hour of an instance costs: from AWS's Price List API, else from the dated table that comes with the code.

The API is asked in us-east-1, where it is, about the region of the cluster. It knows no spot prices: those come from
EC2's price history, and where that cannot be asked a spot node is reckoned at the on-demand price, its upper bound.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import fmean
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from dermaflow.emr.instance_types import INSTANCE_TYPES, PRICES_AS_OF

log = logging.getLogger(__name__)
API_REGION: Final = "us-east-1"
ON_DEMAND_LINUX: Final = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


@dataclass(frozen=True)
class Price:
    """USD an hour."""

    ec2: float
    emr: float
    """EMR's surcharge, the same for spot."""
    spot: float | None = None
    """EC2's part as spot, just now; None where it is not known."""

    def usd(self, *, spot: bool = False) -> float:
        return (self.spot if spot and self.spot is not None else self.ec2) + self.emr


@dataclass(frozen=True)
class PriceList:
    region: str
    source: Literal["price_list_api", "offline_table"]
    as_of: date
    prices: Mapping[str, Price]

    def text(self) -> str:
        if self.source == "price_list_api":
            return f"AWS Price List API, {self.region}"
        return f"table of {self.as_of:%Y} for us-east-1, as the Price List API gave none"


def offline(region: str) -> PriceList:
    known = {name: Price(kind.ec2_usd, kind.emr_usd) for name, kind in INSTANCE_TYPES.items()}
    return PriceList(region, "offline_table", PRICES_AS_OF, known)


def price_list(pricing: Any, ec2: Any, region: str, kinds: Iterable[str]) -> PriceList:
    """`pricing` and `ec2` are boto3's clients. All from the API or all from the table: the two are not mixed."""
    wanted = sorted(set(kinds))
    try:
        found = {kind: Price(_ec2(pricing, region, kind), _emr(pricing, region, kind)) for kind in wanted}
    except (ClientError, BotoCoreError, ResponseParserError, LookupError, ValueError) as error:
        log.info("no prices from the Price List API: %s: %.200s", type(error).__name__, error)
        return offline(region)
    spot = _spot(ec2, wanted)
    priced = {kind: Price(price.ec2, price.emr, spot.get(kind)) for kind, price in found.items()}
    return PriceList(region, "price_list_api", datetime.now(UTC).date(), priced)


def _ec2(pricing: Any, region: str, kind: str) -> float:
    return _hourly(pricing, "AmazonEC2", {"regionCode": region, "instanceType": kind, **ON_DEMAND_LINUX})


def _emr(pricing: Any, region: str, kind: str) -> float:
    return _hourly(pricing, "ElasticMapReduce", {"regionCode": region, "instanceType": kind, "softwareType": "EMR"})


def _hourly(pricing: Any, service: str, wanted: Mapping[str, str]) -> float:
    """The one on-demand price an hour; where AWS lists several products, the dearest. Raises LookupError for none."""
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    answer = pricing.get_products(ServiceCode=service, Filters=filters, FormatVersion="aws_v1")
    found = [usd for product in answer["PriceList"] for usd in hourly_prices(json.loads(product)) if usd > 0]
    if not found:
        raise LookupError(f"{service} lists no price of {wanted['instanceType']} in {wanted['regionCode']}")
    return max(found)


def hourly_prices(product: Mapping[str, Any]) -> Iterator[float]:
    """Of a product of the Price List, its on-demand prices in USD an hour."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            if dimension["unit"] in {"Hrs", "Hours", "hours"} and "USD" in dimension["pricePerUnit"]:
                yield float(dimension["pricePerUnit"]["USD"])


def _spot(ec2: Any, kinds: list[str]) -> dict[str, float]:
    """Mean over the region's zones, just now."""
    try:
        answer = ec2.describe_spot_price_history(
            InstanceTypes=kinds, ProductDescriptions=["Linux/UNIX"], StartTime=datetime.now(UTC)
        )
    except (ClientError, BotoCoreError) as error:
        log.info("no spot prices: %s", error)
        return {}
    found: dict[str, list[float]] = {}
    for row in answer["SpotPriceHistory"]:
        found.setdefault(row["InstanceType"], []).append(float(row["SpotPrice"]))
    return {kind: fmean(prices) for kind, prices in found.items()}
