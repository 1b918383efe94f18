"""`python -m local_stack up | down | demo | status | env`."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from typing import Any

from rich.console import Console

from local_stack import airflow, aws, stack
from local_stack.config import StackConfig, load_config
from local_stack.demo import demo
from local_stack.processes import StackError


def main() -> int:
    parser = argparse.ArgumentParser(prog="local_stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "start local AWS and Airflow and keep them up"),
        ("down", "stop them"),
        ("status", "what runs, and where"),
        ("env", "shell variables that point AWS tools and the airflow command at the stack"),
    ):
        commands.add_parser(name, help=text)
    run = commands.add_parser("demo", help="train once and print the result")
    run.add_argument("--data", default="", help="folder of class folders; none: synthetic images are drawn")
    run.add_argument("--per-class", type=int, default=200, help="synthetic images a class")
    run.add_argument("--conf", type=json.loads, default={}, help="parameters of the run, as JSON")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _signum, _frame: sys.exit("ended by a signal"))  # so that `finally` runs
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        return _command(args, load_config(), console)
    except StackError as error:
        console.print(f"[red]{error}", highlight=False)
        return 1


def _command(args: argparse.Namespace, config: StackConfig, console: Console) -> int:
    if args.command == "demo":
        conf: dict[str, Any] = args.conf
        return demo(config, console, data=args.data or None, per_class=args.per_class, conf=conf)
    if args.command == "up":
        config = stack.up(config, scheduled=True)
        stack.wait(config)
    if args.command == "down":
        stack.down(config)
    if args.command == "env":
        for name, value in (airflow.environment(config, scheduled=True) | aws.environment(config)).items():
            if name.startswith(("AIRFLOW", "AWS_")):
                print(f"export {name}={shlex.quote(value)}")  # noqa: T201 - read by a shell
        return 0
    _print_status(config, console)
    return 0


def _print_status(config: StackConfig, console: Console) -> None:
    if not stack.is_up(config):
        console.print("the stack is down")
        return
    console.print(
        f"Airflow    {config.airflow_url}  user {airflow.USER}, password in {config.airflow_home}/passwords.json"
    )
    console.print(f"local AWS  {config.aws_url}")
    console.print(f"clusters   {aws.clusters_alive(config) or 'none'}")


if __name__ == "__main__":
    sys.exit(main())
