"""What a stand-in that is killed without warning still knows when it comes back."""

from __future__ import annotations

import io
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from stand_in import BUCKET, PROFILE, ROLE, StandIn, job_flow, make_account, shell, wait_for, wait_for_step


@pytest.fixture
def own(tmp_path: Any, image: Any) -> Iterator[StandIn]:
    """A stand-in of the test's own, which it may kill."""
    (tmp_path / "emr").mkdir()
    (tmp_path / "emr" / "image").symlink_to(image)
    running = StandIn(tmp_path).start()
    make_account(running)
    yield running
    running.stop()


def test_s3_comes_back_as_it_was_after_a_kill(own: StandIn) -> None:
    """Bodies, ETags, times, metadata, tags, versions, delete markers, bucket configuration: all as before."""
    s3 = own.client("s3")
    s3.put_object(Bucket=BUCKET, Key="a/ü b.txt", Body=b"one", Metadata={"who": "me"}, ContentType="text/plain")
    s3.put_object(Bucket=BUCKET, Key="gone", Body=b"x")
    s3.put_object(Bucket=BUCKET, Key="gone too & <more>", Body=b"x")
    s3.delete_object(Bucket=BUCKET, Key="gone")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "gone too & <more>"}]})
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "a/ü b.txt"})
    s3.put_object_tagging(Bucket=BUCKET, Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    large = bytes(range(256)) * 40_000
    s3.upload_fileobj(io.BytesIO(large), BUCKET, "large")  # in parts
    s3.create_bucket(Bucket="versioned-bucket")
    s3.put_bucket_versioning(Bucket="versioned-bucket", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="versioned-bucket", Key="k", Body=b"first")["VersionId"]
    s3.put_object(Bucket="versioned-bucket", Key="k", Body=b"second")
    s3.delete_object(Bucket="versioned-bucket", Key="k")

    def everything() -> Any:
        listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        heads = {each["Key"]: s3.head_object(Bucket=BUCKET, Key=each["Key"]) for each in listed}
        for head in heads.values():
            del head["ResponseMetadata"]
        versions = s3.list_object_versions(Bucket="versioned-bucket")
        return (
            listed,
            heads,
            s3.get_object_tagging(Bucket=BUCKET, Key="copy")["TagSet"],
            [(v["Key"], v["VersionId"], v["IsLatest"], v["LastModified"]) for v in versions["Versions"]],
            [(m["Key"], m["VersionId"], m["IsLatest"]) for m in versions["DeleteMarkers"]],
            s3.get_bucket_versioning(Bucket="versioned-bucket")["Status"],
        )

    before = everything()
    own.stop(signal.SIGKILL)
    own.start()
    assert everything() == before
    assert s3.get_object(Bucket=BUCKET, Key="large")["Body"].read() == large
    assert s3.get_object(Bucket=BUCKET, Key="large", Range="bytes=5-9")["Body"].read() == large[5:10]
    assert s3.get_object(Bucket="versioned-bucket", Key="k", VersionId=first)["Body"].read() == b"first"
    assert {each["Key"] for each in before[0]} == {"a/ü b.txt", "copy", "large"}
    assert own.client("iam").get_role(RoleName=ROLE)["Role"]["RoleName"] == ROLE
    assert own.client("iam").get_instance_profile(InstanceProfileName=PROFILE)["InstanceProfile"]["Roles"]


def test_every_answered_write_is_kept_when_killed_in_the_middle(own: StandIn) -> None:
    """A write whose answer came back before the kill is there after it, whole."""
    answered: list[int] = []
    killed = threading.Event()

    def write() -> None:
        s3 = own.client("s3")
        for number in range(10_000):
            if killed.is_set():
                return
            try:
                s3.put_object(Bucket=BUCKET, Key=f"n/{number:05}", Body=f"{number}".encode() * 1000)
            except Exception:  # noqa: BLE001 - whatever a killed server looks like to a client
                return
            answered.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    while len(answered) < 60:
        time.sleep(0.005)
    own.process.kill()
    killed.set()
    own.process.wait(10)
    own.start()
    s3 = own.client("s3")
    for number in answered[:: max(1, len(answered) // 20)] + answered[-1:]:
        body = s3.get_object(Bucket=BUCKET, Key=f"n/{number:05}")["Body"].read()
        assert body == f"{number}".encode() * 1000
    writer.join(60)


def test_a_cluster_alive_at_the_kill_has_ended_with_errors_and_left_no_process(own: StandIn) -> None:
    """Its running step is interrupted, its processes are gone, and a new cluster can be made at once."""
    emr = own.client("emr")
    cluster_id = emr.run_job_flow(**job_flow(Steps=[shell("sleep 300"), shell("true")]))["JobFlowId"]
    steps = [each["Id"] for each in emr.list_steps(ClusterId=cluster_id)["Steps"]]
    wait_for_step(emr, cluster_id, steps[1], "RUNNING")
    while not _marked(cluster_id):
        time.sleep(0.02)
    own.stop(signal.SIGKILL)
    assert _marked(cluster_id), "the kill took the step's processes along: this test shows nothing"
    own.start()
    assert _marked(cluster_id) == []
    found = wait_for(emr, cluster_id, "TERMINATED_WITH_ERRORS", seconds=1)
    assert found["Status"]["StateChangeReason"]["Code"] == "INTERNAL_ERROR"
    assert found["Status"]["Timeline"]["EndDateTime"]
    states = {each["Id"]: each["Status"]["State"] for each in emr.list_steps(ClusterId=cluster_id)["Steps"]}
    assert states == {steps[1]: "INTERRUPTED", steps[0]: "CANCELLED"}
    another = emr.run_job_flow(**job_flow())["JobFlowId"]
    wait_for(emr, another, "WAITING")
    emr.terminate_job_flows(JobFlowIds=[another])
    wait_for(emr, another, "TERMINATED")


def test_large_objects_are_streamed_with_moto_s_headers(stand_in: StandIn) -> None:
    """Whole, by range, to the end, from the end, by version; with metadata; conditions and wrong ranges as in S3."""
    s3 = stand_in.client("s3")
    body = bytes(range(256)) * 10_000
    s3.put_object(Bucket=BUCKET, Key="streamed", Body=b"small")
    etag = s3.put_object(Bucket=BUCKET, Key="streamed", Body=body, Metadata={"a": "b"})["ETag"]

    def get(**more: Any) -> Any:
        return s3.get_object(Bucket=BUCKET, Key="streamed", **more)

    whole = get()
    assert (whole["Body"].read(), whole["ETag"], whole["Metadata"]) == (body, etag, {"a": "b"})
    for asked, part in (("100-199", body[100:200]), ("2559000-", body[2559000:]), ("-7", body[-7:])):
        answer = get(Range=f"bytes={asked}")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentLength"] == len(part)
        assert answer["Body"].read() == part
    target = io.BytesIO()
    s3.download_fileobj(BUCKET, "streamed", target)
    assert target.getvalue() == body
    for more, code in (({"IfNoneMatch": etag}, "304"), ({"Range": "bytes=9999999-"}, "InvalidRange")):
        with pytest.raises(ClientError) as refused:
            get(**more)
        assert refused.value.response["Error"]["Code"] == code


def test_of_twenty_writers_that_want_to_be_first_one_is(stand_in: StandIn) -> None:
    """If-None-Match is looked at and acted on in one go, as S3 does."""
    outcomes: list[str] = []

    def write(number: int) -> None:
        try:
            stand_in.client("s3").put_object(Bucket=BUCKET, Key="only-once", Body=b"%d" % number, IfNoneMatch="*")
            outcomes.append("won")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    writers = [threading.Thread(target=write, args=[number]) for number in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(outcomes) == ["PreconditionFailed"] * 19 + ["won"]


def _marked(cluster_id: str) -> list[int]:
    """Ids of live processes that bear the cluster's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LOCAL_AWS_OWNER", "").startswith(cluster_id):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found
