"""IAM, CloudFormation and the like survive by their requests: those that succeeded are kept and made again at start.

Ids that AWS draws (of policies, stacks, subnets) are drawn anew; names and ARNs made of names stay.
"""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from werkzeug.test import EnvironBuilder, run_wsgi_app

log = logging.getLogger(__name__)
SERVICES = frozenset({"iam", "cloudformation", "ec2", "sns", "kms", "budgets", "elasticmapreduce"})
_READS = re.compile(r"(Get|List|Describe|Head|Simulate|Validate|Estimate|Detect|Generate|Publish|Decrypt|Encrypt)")
_HEADERS = {"HTTP_AUTHORIZATION": "Authorization", "HTTP_X_AMZ_TARGET": "X-Amz-Target", "CONTENT_TYPE": "Content-Type"}


class Journal:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def answer(self, app: Any, operation: str, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """`operation` as `calls.operation_name` says it: `iam.CreateRole`."""
        if not _kept(operation):
            answered: Iterable[bytes] = app(environ, start_response)
            return answered
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        statuses: list[str] = []

        def noting(status: str, *rest: Any) -> Any:
            statuses.append(status)
            return start_response(status, *rest)

        held = list(app(environ, noting))
        if statuses[-1].startswith("2"):
            self._append(environ, body)
        return held

    def _append(self, environ: Mapping[str, Any], body: bytes) -> None:
        entry = {
            "path": environ["PATH_INFO"],
            "headers": {name: environ[key] for key, name in _HEADERS.items() if key in environ},
            "body": body.decode(),
        }
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def replay(self, app: Any) -> None:
        if not self._path.is_file():
            return
        for line in self._path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the last line of a process killed while it wrote
            builder = EnvironBuilder(path=entry["path"], method="POST", headers=entry["headers"], data=entry["body"])
            _, status, _ = run_wsgi_app(app, builder.get_environ())
            if not status.startswith("2"):
                log.warning("not made again at start (%s): %s", status, entry["body"][:200])


def _kept(operation: str) -> bool:
    service, _, action = operation.partition(".")
    return service.lower() in SERVICES and not _READS.match(action)
