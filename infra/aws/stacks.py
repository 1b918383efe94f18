"""Stacks: made, changed and taken away, each waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

POLL_S: Final = 5.0
ENDED_WELL: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"})


class StackFailedError(Exception):
    """The message says which resources failed, and why, in CloudFormation's words."""


@dataclass(frozen=True)
class Stacks:
    client: Any
    """boto3's CloudFormation client."""

    def find(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else found

    def outputs(self, name: str) -> dict[str, str]:
        """Empty where there is no such stack."""
        found = self.find(name) or {}
        return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())}

    def parameters(self, name: str) -> dict[str, str]:
        found = self.find(name) or {}
        return {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())}

    def template(self, name: str) -> str:
        body: str = self.client.get_template(StackName=name)["TemplateBody"]
        return body

    def deploy(self, name: str, body: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """The stack's outputs, once it is as asked for. Does nothing where it is so already."""
        request = {
            "StackName": name,
            "TemplateBody": body,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }
        stack = self.find(name)
        if stack and stack["StackStatus"] == "ROLLBACK_COMPLETE":  # of a creation that failed: it cannot be changed
            self.delete(name)
            stack = None
        if stack is None:
            self.client.create_stack(**request)
        elif self._differs(name, body, parameters) and not self._update(request):
            return self.outputs(name)
        self.wait(name)
        return self.outputs(name)

    def _differs(self, name: str, body: str, parameters: Mapping[str, str]) -> bool:
        now = self.parameters(name)
        return any(now.get(key) != value for key, value in parameters.items()) or self.template(name) != body

    def _update(self, request: dict[str, Any]) -> bool:
        """False where CloudFormation finds nothing to do."""
        try:
            self.client.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
        return True

    def delete(self, name: str) -> None:
        self.client.delete_stack(StackName=name)
        self.wait(name)

    def wait(self, name: str) -> None:
        """Until nothing is in progress. Raises StackFailedError if it did not end well."""
        while True:
            stack = self.find(name)
            status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
            if status in ENDED_WELL:
                return
            if not status.endswith("_IN_PROGRESS"):
                raise StackFailedError(f"stack {name} is {status}:\n{self._reasons(name)}")
            time.sleep(POLL_S)

    def _reasons(self, name: str) -> str:
        events = self.client.describe_stack_events(StackName=name)["StackEvents"]
        failed = [each for each in events if each.get("ResourceStatus", "").endswith("_FAILED")]
        return "\n".join(f"  {each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}" for each in failed)
