"""microburst between the operators and the stand-in: faults in AWS's own wire format."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DENIED = {"error": {"code": "AccessDenied", "status": 403, "message": "not allowed here"}}
THROTTLED = {"error": {"code": "ThrottlingException", "status": 400, "message": "Rate exceeded"}}
BROKEN = {"error": {"code": "InternalServerError", "status": 500}}
LOST = {"response": {"abort_frac": 0.0}}
"""The request is carried out, its answer never arrives."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Proxy:
    process: subprocess.Popen[bytes]
    url: str

    @classmethod
    def start(cls, upstream: str) -> Proxy:
        port = free_port()
        command = [Path(sys.executable).parent / "microburst", "--upstream", upstream, "--port", str(port)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        process = subprocess.Popen([*command, "--host", "127.0.0.1"], env=environment, stdout=subprocess.DEVNULL)
        proxy = cls(process, f"http://127.0.0.1:{port}")
        proxy._wait()
        return proxy

    def stop(self) -> None:
        self.process.kill()  # asked to end, it waits for its clients to close their connections
        self.process.wait()

    def strike(self, *rules: dict[str, Any]) -> None:
        self._ask("/_microburst/rules", "POST", list(rules))

    def calm(self) -> None:
        self._ask("/_microburst/rules", "POST", [])
        self._ask("/_microburst/fired", "DELETE")

    def struck(self) -> int:
        """How often a rule has fired since the last `calm`."""
        return len(self._ask("/_microburst/fired?limit=1000", "GET"))

    def unused(self) -> list[dict[str, Any]]:
        """Rules that have not fired."""
        return [rule for rule in self._ask("/_microburst/rules", "GET") if not rule["fired_count"]]

    def _ask(self, path: str, method: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _wait(self) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self._ask("/_microburst/health", "GET")
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("the proxy did not start")
