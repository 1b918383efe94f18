"""What a RunJobFlow request names in the rest of the account, looked up in moto."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from local_aws.emr.errors import validation_error
from local_aws.emr.requests import Caller


def check_roles(request: Mapping[str, Any], caller: Caller) -> None:
    """Service role and instance profile are required and exist, by name or ARN. Raises EmrError."""
    service_role, profile = request.get("ServiceRole"), request.get("JobFlowRole")
    if not profile:
        raise validation_error("InstanceProfile is required for creating cluster.")
    if not service_role:
        raise validation_error("ServiceRole is required for creating cluster.")
    iam = iam_backends[caller.account]["aws"]
    try:
        iam.get_role(_name(service_role))
    except NotFoundException as error:
        raise validation_error(f"{service_role} is invalid: no such service role.") from error
    try:
        found = iam.get_instance_profile(_name(profile))
    except NotFoundException as error:
        raise validation_error(f"Invalid InstanceProfile: {profile}.") from error
    if not found.roles:
        raise validation_error(f"Invalid InstanceProfile: {profile}: it has no role.")


def check_security_configuration(request: Mapping[str, Any], caller: Caller) -> None:
    name = request.get("SecurityConfiguration")
    if name is None:
        return
    from moto.emr.models import emr_backends  # brings all of EC2 along: a second that most starts do not need

    if name not in emr_backends[caller.account][caller.region].security_configurations:
        raise validation_error(f"Security configuration with name '{name}' does not exist.")


def _name(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]
