"""What a deployment is, and the parameters that the two templates get of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3

HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Account:
    """Where a deployment is, or will be."""

    client: Callable[[str], Any]
    """boto3's client of a service, by its name."""
    region: str

    @classmethod
    def of_this_shell(cls) -> Account:
        """By boto3's own chain of credentials, region and endpoint."""
        session: Any = boto3.Session()
        return cls(session.client, str(session.region_name))


@dataclass(frozen=True)
class Deployment:
    bucket: str
    name: str = "Dermaflow"
    prefix: str = ""
    """Of the storage root behind the bucket; empty, or ends in a slash."""
    deployment: str = "airflow"
    """The value of Airflow's DERMAFLOW_DEPLOYMENT."""
    subnets: tuple[str, ...] = ()
    """Subnets of yours; none: a network is made."""
    internet: str = "nat"
    email: str = ""
    budget_usd: int = 100
    airflow_principal: str = ""
    key_arn: str = ""

    @property
    def account_stack(self) -> str:
        return self.name.lower()

    @property
    def network_stack(self) -> str:
        return f"{self.name.lower()}-network"

    @property
    def certificate_key(self) -> str:
        """Where the security configuration looks for the certificate of traffic between nodes."""
        return f"{self.prefix}security/in-transit.zip"

    def account_parameters(self, *, makes_bucket: bool) -> dict[str, str]:
        return {
            "Name": self.name,
            "Deployment": self.deployment,
            "BucketName": self.bucket,
            "MakesBucket": "yes" if makes_bucket else "no",
            "Prefix": self.prefix,
            "ExistingKeyArn": self.key_arn,
            "AirflowPrincipalArn": self.airflow_principal,
            "AlarmEmail": self.email,
            "MonthlyBudgetUsd": str(self.budget_usd),
        }

    def network_parameters(self) -> dict[str, str]:
        return {"Name": self.name, "Internet": self.internet}


def template(name: str) -> str:
    """`account` or `network`."""
    return (HERE / f"{name}.yaml").read_text()
