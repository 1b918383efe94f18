"""What is rented: machines, how they are bought, what may stand in, disks, GPUs."""

from __future__ import annotations

from typing import Any

import pytest
from aws_account import REPO
from fake_run import FakeRun
from test_requests import complaints, request

from dermaflow.code_bundle import CodeBundle, build_bundle
from dermaflow.emr.fleets import disk_gb, instances, suited
from dermaflow.emr.instance_types import INSTANCE_TYPES, same_size
from dermaflow.emr.spark_step import job_args
from dermaflow.form import read_form
from dermaflow.run import run_spec
from dermaflow_jobs.contract.cluster_sizes import CLUSTER_SIZES
from dermaflow_jobs.contract.options import ClusterOptions, RunOptions
from dermaflow_jobs.contract.run_spec import RunSpec

EVERYTHING = {
    "subnet_ids": ("subnet-1a", "subnet-1b"),
    "primary_security_group": "sg-1",
    "core_security_group": "sg-2",
    "service_security_group": "sg-3",
    "security_configuration": "Dermaflow-1",
    "log_key_arn": "arn:aws:kms:us-east-1:123456789012:key/k",
    "spot_task_nodes": 3,
}


@pytest.fixture(scope="module")
def bundle() -> CodeBundle:
    return build_bundle(REPO)


def spec_of(bundle: CodeBundle, **cluster: Any) -> RunSpec:
    options = suited(RunOptions(cluster=ClusterOptions(**cluster)), types=set(INSTANCE_TYPES), images=1000)
    return run_spec(FakeRun().context(), root="s3://bucket/p", code=bundle.ref, options=options)


def fleet(spec: RunSpec, role: str) -> dict[str, Any]:
    fleets = instances(spec.options.cluster)["InstanceFleets"]
    return next(each for each in fleets if each["InstanceFleetType"] == role)


@pytest.mark.parametrize("size", CLUSTER_SIZES)
@pytest.mark.parametrize("more", [{}, EVERYTHING], ids=["alone", "everything"])
def test_emr_knows_every_field_of_every_size(bundle: CodeBundle, size: str, more: dict[str, Any]) -> None:
    """By botocore's model; and a size never costs more than the cost limit lets it."""
    spec = spec_of(bundle, cluster_size=size, **more)
    assert complaints("RunJobFlow", request(spec)) == ""
    assert read_form({"cluster_size": size})[0].cluster == ClusterOptions(cluster_size=size)  # type: ignore[arg-type]


def test_what_the_user_says_counts_more_than_the_size() -> None:
    assert ClusterOptions(cluster_size="large").core_type == "m6i.2xlarge"
    own = ClusterOptions(cluster_size="large", core_count=1)
    assert (own.core_type, own.core_count) == ("m6i.2xlarge", 1)
    assert ClusterOptions.parse(own.to_json()) == own


def test_what_must_not_be_lost_is_bought_on_demand_and_the_rest_on_spot(bundle: CodeBundle) -> None:
    """The spot fleet takes the pools that are least likely to be taken back, and on-demand machines after a while."""
    spec = spec_of(bundle, spot_task_nodes=4)
    for role in ("MASTER", "CORE"):
        assert "TargetSpotCapacity" not in fleet(spec, role)
    task = fleet(spec, "TASK")
    spot = task["LaunchSpecifications"]["SpotSpecification"]
    assert (task["TargetSpotCapacity"], "TargetOnDemandCapacity" in task) == (4, False)
    assert spot["AllocationStrategy"] == "price-capacity-optimized"
    assert spot["TimeoutAction"] == "SWITCH_TO_ON_DEMAND"
    limits = request(spec)["ManagedScalingPolicy"]["ComputeLimits"]
    assert (limits["MinimumCapacityUnits"], limits["MaximumCapacityUnits"]) == (2, 6)
    assert limits["MaximumOnDemandCapacityUnits"] == 2
    assert "ManagedScalingPolicy" not in request(spec_of(bundle))


def test_several_types_of_one_size_serve_each_role(bundle: CodeBundle) -> None:
    """The wanted one first. All have its cores, memory and architecture: Spark's settings fit whichever comes."""
    kinds = [each["InstanceType"] for each in fleet(spec_of(bundle), "CORE")["InstanceTypeConfigs"]]
    assert kinds[0] == "m6i.xlarge"
    assert len(kinds) > 2
    assert {(INSTANCE_TYPES[k].vcpus, INSTANCE_TYPES[k].memory_mib, INSTANCE_TYPES[k].architecture) for k in kinds} == {
        (4, 16384, "x86_64")
    }
    priorities = [each["Priority"] for each in fleet(spec_of(bundle), "CORE")["InstanceTypeConfigs"]]
    assert priorities == sorted(priorities)
    assert "m6g.xlarge" not in same_size("m6i.xlarge"), "another architecture"
    assert "g5.xlarge" not in same_size("g4dn.xlarge"), "twice as dear"


def test_a_type_that_the_region_lacks_stands_in_for_nothing() -> None:
    """EMR would refuse the whole cluster."""
    options = suited(RunOptions(), types={"m6i.xlarge", "m5.xlarge"}, images=1)
    assert options.cluster.fallback_types == ("m5.xlarge",)
    alone = instances(suited(RunOptions(), types={"m6i.xlarge"}, images=1).cluster)["InstanceFleets"][1]
    assert [each["InstanceType"] for each in alone["InstanceTypeConfigs"]] == ["m6i.xlarge"]
    assert "LaunchSpecifications" not in alone


def test_disks_grow_with_the_images() -> None:
    """Twice the shards and 32 GB, at least 64; what the user says counts."""
    assert disk_gb(2_000, 100) == 64
    assert disk_gb(400_000, 256) == 190
    assert suited(RunOptions(cluster=ClusterOptions(disk_gb=500)), types=set(), images=1).cluster.disk_gb == 500


def test_nothing_that_ends_the_application_runs_on_a_spot_node(bundle: CodeBundle) -> None:
    """The application master by its label, training and evaluation by theirs; decoding may be lost and done again."""
    spec = spec_of(bundle, spot_task_nodes=2)
    site = next(c for c in request(spec)["Configurations"] if c["Classification"] == "yarn-site")["Properties"]
    assert site["yarn.node-labels.am.default-node-label-expression"] == "CORE"
    label = "spark.yarn.executor.nodeLabelExpression=CORE"
    assert label in job_args("train", spec)
    assert label not in job_args("preprocess", spec)
    assert label not in job_args("train", spec_of(bundle))
    assert "spark.executor.instances=4" in job_args("preprocess", spec)


def test_gpus_are_given_to_training_and_have_an_environment_of_their_own(bundle: CodeBundle) -> None:
    """TensorFlow with CUDA by its part of the lock; YARN hands the GPU out."""
    spec = spec_of(bundle, cluster_size="gpu")
    found = request(spec)
    args = found["BootstrapActions"][0]["ScriptBootstrapAction"]["Args"]
    assert args[args.index("--build") + 1] == "gpu"
    assert args[args.index("--venv") + 1].endswith("-gpu")
    assert {"yarn-site", "container-executor", "capacity-scheduler", "spark"} <= {
        each["Classification"] for each in found["Configurations"]
    }
    assert "spark.task.resource.gpu.amount=1" in job_args("train", spec)
    assert not [text for text in job_args("preprocess", spec) if "gpu.amount" in text]


def test_environments_are_published_unless_somebody_says_no(bundle: CodeBundle) -> None:
    def args(**cluster: Any) -> list[str]:
        action = request(spec_of(bundle, **cluster))["BootstrapActions"][0]
        found: list[str] = action["ScriptBootstrapAction"]["Args"]
        return found

    assert args()[args().index("--archives") + 1] == "s3://bucket/p/code/environments/"
    assert "--archives" not in args(environment_archive=False)
