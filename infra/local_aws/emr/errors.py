"""Errors as EMR words them."""

from __future__ import annotations


class EmrError(Exception):
    """Goes out as an HTTP 400 with `__type` and `message`, as EMR's JSON protocol has it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def validation_error(message: str) -> EmrError:
    return EmrError("ValidationException", message)


def invalid_request(message: str) -> EmrError:
    return EmrError("InvalidRequestException", message)


def not_simulated(what: str) -> EmrError:
    """A real account may well accept this. The stand-in does not pretend to."""
    return EmrError("NotSimulated", f"{what} is not simulated by local_aws; see the docstring of local_aws.emr")
