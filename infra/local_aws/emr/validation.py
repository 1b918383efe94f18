"""Is a request one that EMR takes, and one that is simulated? By botocore's service model and the list below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from local_aws.emr.errors import not_simulated, validation_error

# Taken by EMR, refused here: pretending would teach somebody that it works. Paths as `walk` gives them.
NOT_SIMULATED = frozenset(
    {
        "RunJobFlow.AdditionalInfo",
        "RunJobFlow.AmiVersion",
        "RunJobFlow.AutoScalingRole",
        "RunJobFlow.CustomAmiId",
        "RunJobFlow.ExtendedSupport",
        "RunJobFlow.Instances.HadoopVersion",
        "RunJobFlow.Instances.InstanceFleets[].Context",
        "RunJobFlow.Instances.InstanceFleets[].InstanceTypeConfigs[].Configurations",
        "RunJobFlow.Instances.InstanceFleets[].InstanceTypeConfigs[].CustomAmiId",
        "RunJobFlow.Instances.InstanceGroups[].AutoScalingPolicy",
        "RunJobFlow.Instances.InstanceGroups[].Configurations",
        "RunJobFlow.Instances.InstanceGroups[].CustomAmiId",
        "RunJobFlow.KerberosAttributes",
        "RunJobFlow.MonitoringConfiguration",
        "RunJobFlow.NewSupportedProducts",
        "RunJobFlow.OSReleaseLabel",
        "RunJobFlow.PlacementGroupConfigs",
        "RunJobFlow.RepoUpgradeOnBoot",
        "RunJobFlow.SessionEnabled",
        "RunJobFlow.StepExecutionRoleArn",
        "RunJobFlow.Steps[].StepMonitoringConfiguration",
        "RunJobFlow.SupportedProducts",
        "AddJobFlowSteps.ExecutionRoleArn",
        "AddJobFlowSteps.Steps[].StepMonitoringConfiguration",
        "ModifyCluster.ExtendedSupport",
    }
)


@cache
def service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("emr")


def check(operation: str, params: Mapping[str, Any]) -> None:
    """Raises EmrError: ValidationException for what EMR refuses, NotSimulated for what only this refuses."""
    shape = service_model().operation_model(operation).input_shape
    if shape is None:
        return
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise validation_error(report.generate_report())
    for path, member, value in walk(operation, shape, params):
        if path in NOT_SIMULATED:
            raise not_simulated(path)
        if isinstance(member, StringShape) and member.enum and value not in member.enum:
            raise validation_error(
                f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint:"
                f" Member must satisfy enum value set: [{', '.join(member.enum)}]"
            )


def walk(path: str, shape: Shape, value: Any) -> Iterator[tuple[str, Shape, Any]]:
    """Every value of a request with its path, such as `RunJobFlow.Instances.InstanceGroups[].Market`."""
    yield path, shape, value
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from walk(f"{path}.{name}", shape.members[name], member)
    elif isinstance(shape, ListShape):
        for item in value:
            yield from walk(f"{path}[]", shape.member, item)
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from walk(f"{path}[{key}]", shape.value, item)
