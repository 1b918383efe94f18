"""`python -m local_aws --port P --state DIR`: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path
from types import FrameType

from local_aws.server import server
from local_aws.settings import Latencies, Settings

_LATENCIES = ("startup", "bootstrap-overhead", "termination", "step-overhead", "log-delay")


def main(argv: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("werkzeug", "botocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    settings = parse(sys.argv[1:] if argv is None else argv)
    serving = server(settings)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, _leave)
    logging.info("local AWS at %s, state in %s", settings.endpoint, settings.state_dir)
    serving.serve_forever()


def parse(argv: list[str]) -> Settings:
    parser = argparse.ArgumentParser(prog="local_aws", description="S3, IAM … by moto, and an EMR that executes.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; anything but loopback is unsafe")
    parser.add_argument("--state", type=Path, required=True, help="folder that survives restarts")
    for name in _LATENCIES:
        parser.add_argument(f"--{name}-seconds", type=float, default=0.0)
    given = vars(parser.parse_args(argv))
    fields = {name.replace("-", "_"): given[f"{name.replace('-', '_')}_seconds"] for name in _LATENCIES}
    return Settings(
        port=given["port"], state_dir=given["state"].absolute(), host=given["host"], latencies=Latencies(**fields)
    )


def _leave(_signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
