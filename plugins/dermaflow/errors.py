"""Every error that ends a task of ours; each says what was tried, on which resource, and what to do next.

DermaflowError                a retry may mend it (Airflow's `retries` decides)
    AwsCallFailed             AWS refused or did not answer
    StepFailed                a step on the cluster failed
    StepTimedOut              a step or cluster took longer than its task may
    TrackingFailed            MLflow's server did not take what it was told
    WriteConflict             others kept overwriting the object that we had just read
DermaflowFailure              a retry cannot mend it: the task fails at once
    InputsRefused             check_inputs found problems; nothing was paid for
    CodeBundleInvalid         the job code cannot be published as it stands
    ClusterFailed             the cluster ended, or never came up
    StepNeedsAttention        a step failed and said itself what a person has to do
    ResultMissing             a step ended well, yet left no result
    RunCutShort               somebody ended the run before its end
    NothingToGoBackTo         no earlier champion, or none of that number
"""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException, AirflowFailException


def sentence(attempted: str, resource: str, reason: str, remedy: str) -> str:
    """The one shape of our messages: tried what, on what, why it failed, what to do."""
    return f"{attempted} {resource}: {reason.rstrip()}\nWhat to do: {remedy}"


class DermaflowError(AirflowException):
    """Ends this try; Airflow may try again."""

    def __init__(self, *, attempted: str, resource: str, reason: str, remedy: str) -> None:
        super().__init__(sentence(attempted, resource, reason, remedy))
        self.attempted, self.resource, self.reason, self.remedy = attempted, resource, reason, remedy


class AwsCallFailed(DermaflowError):
    pass


class StepFailed(DermaflowError):
    pass


class StepTimedOut(DermaflowError):
    pass


class TrackingFailed(DermaflowError):
    pass


class WriteConflict(DermaflowError):
    pass


class DermaflowFailure(AirflowFailException):
    """Ends the task: another try would meet the same."""

    def __init__(self, *, attempted: str, resource: str, reason: str, remedy: str) -> None:
        super().__init__(sentence(attempted, resource, reason, remedy))
        self.attempted, self.resource, self.reason, self.remedy = attempted, resource, reason, remedy


class InputsRefused(DermaflowFailure):
    pass


class CodeBundleInvalid(DermaflowFailure):
    pass


class ClusterFailed(DermaflowFailure):
    pass


class StepNeedsAttention(DermaflowFailure):
    pass


class ResultMissing(DermaflowFailure):
    pass


class RunCutShort(DermaflowFailure):
    pass


class NothingToGoBackTo(DermaflowFailure):
    pass
