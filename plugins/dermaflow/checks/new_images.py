"""Is there a champion, are there new images, and is the one of any use to the other?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.checks.problem import Problem, excuse
from dermaflow.storage import Storage
from dermaflow_jobs.contract.base import ContractError
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.dataset import SYNTHETIC_SOFTWARE

LOOKED_AT: Final = 1000
"""Keys that the sample is taken of."""
SAMPLE: Final = 8
HEAD_BYTES: Final = 65_536
"""EXIF stands at the beginning of a file."""
IMAGE_FILES: Final = (b"\xff\xd8\xff", b"\x89PNG", b"II*\0", b"MM\0*", b"BM", b"GIF8", b"RIFF")
"""How JPEG, PNG, TIFF, BMP, GIF and WebP begin."""
TRAIN: Final = "run lesion_training: its model becomes the champion by itself"


def check_champion(storage: Storage) -> tuple[Champion | None, list[Problem]]:
    """The champion, where it is one that can be asked."""
    where = storage.layout.uri(storage.layout.champion())
    try:
        champion = storage.find(storage.layout.champion(), Champion)
    except ContractError as error:
        return None, [Problem(where, str(error), "roll back to an earlier champion, or remove the object")]
    if champion is None:
        return None, [Problem(where, "there is no champion yet", TRAIN)]
    if not storage.exists(champion.model_key):
        found = "the champion's model is not there any more"
        return None, [Problem(storage.layout.uri(champion.model_key), found, TRAIN)]
    return champion, []


def check_new_images(storage: Storage, folder: str, champion: Champion | None) -> list[Problem]:
    """Told by a look at the first of them; the step itself looks at every one."""
    layout, client = storage.layout, storage.client
    where = layout.uri(layout.new_images_prefix(folder))
    try:
        keys = list(islice(_objects(client, layout.bucket, layout.new_images_prefix(folder)), LOOKED_AT))
    except (ClientError, BotoCoreError) as error:
        excuse(error, where)
        return [Problem(where, f"cannot be listed: {error}", "allow s3:ListBucket on it")]
    if not keys:
        return [Problem(where, "holds no objects", "upload images there, or name another folder in the param images")]
    if champion is None or not champion.synthetic:
        return []
    real = [key for key in _spread(keys) if _is_photo(client, layout.bucket, key)]
    if not real:
        return []
    found = f"the champion learned from drawn images, and {layout.uri(real[0])} does not say of itself that it is drawn"
    return [Problem(where, found, f"train on real images first: {TRAIN}")]


def _objects(client: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (item["Key"] for item in page.get("Contents", ()) if item["Size"])


def _spread(keys: Sequence[str]) -> Sequence[str]:
    """The first, the last, and evenly between."""
    places = {round(number * (len(keys) - 1) / (SAMPLE - 1)) for number in range(SAMPLE)}
    return [keys[place] for place in sorted(places)]


def _is_photo(client: Any, bucket: str, key: str) -> bool:
    """An image file that does not say of itself that it was drawn. What is none is a failure for the step to count."""
    body = client.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{HEAD_BYTES - 1}")["Body"].read()
    return body.startswith(IMAGE_FILES) and SYNTHETIC_SOFTWARE.encode() not in body
