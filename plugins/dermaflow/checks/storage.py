"""Is the bucket there, here, and ours to read and write?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.aws import code_of
from dermaflow.checks.problem import Problem, excuse
from dermaflow_jobs.contract.s3_layout import Layout

NOT_THERE: Final = frozenset({"404", "NoSuchBucket", "NotFound"})
DENIED: Final = frozenset({"403", "AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


def check_storage(s3: Any, layout: Layout, region: str) -> list[Problem]:
    """`s3` is boto3's client; `region` the one that the cluster will stand in."""
    try:
        answer = s3.head_bucket(Bucket=layout.bucket)
    except (ClientError, BotoCoreError) as error:
        return [_no_bucket(layout, region, error)]
    problems = []
    where = answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    if where and where != region:
        problems.append(
            Problem(
                f"bucket {layout.bucket}",
                f"is in {where}, the cluster would be in {region}",
                f"name a bucket in {region} in the param root, or set the connection's region to {where}",
            )
        )
    return problems + _permissions(s3, layout)


def _no_bucket(layout: Layout, region: str, error: Exception) -> Problem:
    code, subject = code_of(error), f"bucket {layout.bucket}"
    excuse(error, subject)
    if code in NOT_THERE:
        return Problem(
            subject, "does not exist", f"create it in {region}, or name another one in the param root ({error})"
        )
    if code in {"301", "PermanentRedirect"}:
        return Problem(subject, f"is in another region than {region}", "name a bucket of this region in the param root")
    if code in DENIED:
        return Problem(
            subject,
            f"may not be looked at: {error}",
            "allow s3:ListBucket on it to the Airflow connection's identity, or correct its credentials",
        )
    return Problem(subject, f"S3 gives no answer: {error}", "see whether the connection's endpoint can be reached")


def _permissions(s3: Any, layout: Layout) -> list[Problem]:
    """Tried, not read from policies: list, put, get and delete of a small object of our own."""
    key = f"{layout.prefix}runs/.permission-check-{uuid4().hex}"
    subject = layout.uri(f"{layout.prefix}runs/")
    tries: tuple[tuple[str, str, Callable[[], object]], ...] = (
        ("list", "s3:ListBucket", lambda: s3.list_objects_v2(Bucket=layout.bucket, Prefix=key, MaxKeys=1)),
        ("write", "s3:PutObject", lambda: s3.put_object(Bucket=layout.bucket, Key=key, Body=b"")),
        ("read", "s3:GetObject", lambda: s3.get_object(Bucket=layout.bucket, Key=key)),
        ("delete", "s3:DeleteObject", lambda: s3.delete_object(Bucket=layout.bucket, Key=key)),
    )
    problems, written = [], True
    for verb, action, call in tries:
        if verb in {"read", "delete"} and not written:
            continue
        try:
            call()
        except (ClientError, BotoCoreError) as error:
            excuse(error, subject)
            written = written and verb != "write"
            problems.append(
                Problem(subject, f"cannot {verb}: {error}", f"allow {action} to the Airflow connection's identity")
            )
    return problems
