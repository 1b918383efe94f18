"""What the stand-in says of prices."""

from __future__ import annotations

from stand_in import StandIn


def test_the_price_list_is_there_and_empty(stand_in: StandIn) -> None:
    """An answer, so that nobody retries a failure: the control plane's dated table serves at once."""
    assert stand_in.client("pricing").get_products(ServiceCode="AmazonEC2")["PriceList"] == []
