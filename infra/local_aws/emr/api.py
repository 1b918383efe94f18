"""EMR's wire protocol (JSON 1.1): `X-Amz-Target: ElasticMapReduce.<operation>`, a JSON object in, another out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from botocore import xform_name

from local_aws.emr import validation
from local_aws.emr.context import Context, Operation
from local_aws.emr.driver import Host
from local_aws.emr.errors import EmrError, not_simulated
from local_aws.emr.operations import clusters, instances, releases, steps
from local_aws.emr.requests import Caller

TARGET = "ElasticMapReduce."
ACCOUNT = "123456789012"
_IMPLEMENTED = {
    operation: function
    for module in (clusters, instances, releases, steps)
    for operation, function in vars(module).items()
    if callable(function) and getattr(function, "__module__", "") == module.__name__ and not operation.startswith("_")
}
# Security configurations are plain documents: moto keeps them, and CloudFormation makes them there.
LEFT_TO_MOTO = frozenset(
    {
        "CreateSecurityConfiguration",
        "DeleteSecurityConfiguration",
        "DescribeSecurityConfiguration",
        "ListSecurityConfigurations",
    }
)


def operations() -> dict[str, Operation]:
    """By EMR's name for them."""
    names = {xform_name(name): name for name in validation.service_model().operation_names}
    return {names[function]: _IMPLEMENTED[function] for function in _IMPLEMENTED if function in names}


class EmrApi:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._operations = operations()

    def answer(self, operation: str, body: bytes, authorization: str) -> tuple[int, dict[str, Any]]:
        """HTTP status and the answer's JSON object."""
        try:
            return 200, self._call(operation, _parsed(body), authorization)
        except EmrError as error:
            return 400, {"__type": error.code, "message": error.message}

    def _call(self, operation: str, params: Mapping[str, Any], authorization: str) -> dict[str, Any]:
        if operation not in validation.service_model().operation_names:
            raise EmrError("UnknownOperationException", f"{operation} is not an operation of EMR.")
        if operation not in self._operations:
            raise not_simulated(f"operation {operation}")
        validation.check(operation, params)
        context = Context(self._host, Caller(ACCOUNT, region_of(authorization)))
        return self._operations[operation](context, params) or {}


def region_of(authorization: str) -> str:
    """From the credential scope of a version 4 signature."""
    scope = re.search(r"Credential=[^/,\s]+/\d{8}/([^/]+)/", authorization)
    return scope.group(1) if scope else "us-east-1"


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        params = json.loads(body or b"{}")
    except ValueError as error:
        raise EmrError("SerializationException", f"not JSON: {error}") from error
    if not isinstance(params, dict):
        raise EmrError("SerializationException", "not a JSON object")
    return params
