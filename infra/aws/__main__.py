"""`python -m aws deploy | doctor | destroy`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from aws.deploy import clusters_alive, deploy, destroy, settings, write_settings
from aws.deployment import Account, Deployment
from aws.doctor import Finding, Patient, examine
from aws.stacks import StackFailedError

MARKS = {"ok": "[green]ok", "missing": "[red]missing", "unknown": "[yellow]unknown"}


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    console = Console(width=None if sys.stdout.isatty() else 160)
    wanted = Deployment(
        bucket=args.bucket,
        name=args.name,
        prefix=args.prefix,
        deployment=args.deployment,
        subnets=tuple(filter(None, args.subnets.split(","))),
        internet=args.internet,
        email=args.email,
        budget_usd=args.budget,
        airflow_principal=args.airflow_principal,
        key_arn=args.key,
    )
    try:
        return COMMANDS[args.command](Account.of_this_shell(), wanted, args, console)
    except (StackFailedError, ClientError, BotoCoreError) as error:
        console.print(f"{args.command} failed: {error}", style="red", highlight=False, markup=False)
        return 1


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="aws", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    defaults = Deployment(bucket="")
    parser.add_argument("--bucket", default="", help="where everything is kept; made where it is missing")
    parser.add_argument("--name", default=defaults.name, help="begins the names of stacks and roles")
    parser.add_argument("--prefix", default="", help="of the storage root in the bucket, with a slash at its end")
    parser.add_argument("--deployment", default=defaults.deployment, help="the value of DERMAFLOW_DEPLOYMENT")
    parser.add_argument("--subnets", default="", help="yours, separated by commas; none: a network is made")
    parser.add_argument("--internet", default=defaults.internet, choices=["nat", "none"], help="of the network made")
    parser.add_argument("--email", default="", help="told of failed clusters and of money")
    parser.add_argument("--budget", type=int, default=defaults.budget_usd, help="USD a month")
    parser.add_argument("--airflow-principal", default="", help="ARN of who may assume Airflow's role")
    parser.add_argument("--key", default="", help="ARN of a KMS key of yours; none: one is made")
    out = Path(os.environ.get("DERMAFLOW_DEFAULTS") or "build/aws/defaults.json")
    parser.add_argument("--out", type=Path, default=out, help=f"file for Airflow (default: {out})")
    args = parser.parse_args(argv)
    if not args.bucket and args.command != "destroy":
        parser.error("--bucket is missing (make deploy BUCKET=name)")
    return args


def _deploy(account: Account, wanted: Deployment, args: argparse.Namespace, console: Console) -> int:
    with console.status("CloudFormation is at work; the first time it takes some five minutes"):
        outputs = deploy(account, wanted)
    write_settings(outputs, args.out)
    console.print(f"{args.out}: what a run must know of the account; name it to Airflow by DERMAFLOW_DEFAULTS")
    console.print(json.dumps(settings(outputs), indent=1), highlight=False)
    console.print(f"Airflow's role: {outputs['AirflowRoleArn']}", highlight=False)
    console.print(f"or attach to its identity: {outputs['AirflowPolicyArn']}", highlight=False)
    return 0


def _doctor(account: Account, wanted: Deployment, _args: argparse.Namespace, console: Console) -> int:
    findings = examine(Patient(account, wanted))
    console.print(_table(findings))
    missing = sum(each.verdict == "missing" for each in findings)
    console.print("nothing is missing" if not missing else f"{missing} things to mend; nothing was changed")
    return 1 if missing else 0


def _table(findings: list[Finding]) -> Table:
    table = Table("what", "", "found", "what to do")
    for each in findings:
        table.add_row(each.subject, MARKS[each.verdict], each.found, each.remedy)
    return table


def _destroy(account: Account, wanted: Deployment, _args: argparse.Namespace, console: Console) -> int:
    if alive := clusters_alive(account, wanted.deployment):
        console.print(f"clusters are alive: {', '.join(alive)}; end them first (the DAG emr_reaper does)", style="red")
        return 1
    gone = destroy(account, wanted)
    console.print(f"gone: {', '.join(gone)}" if gone else "there was no stack")
    console.print("the bucket and its key stay: they hold the ledger and the models; delete them by hand")
    return 0


COMMANDS = {"deploy": _deploy, "doctor": _doctor, "destroy": _destroy}


if __name__ == "__main__":
    sys.exit(main())
