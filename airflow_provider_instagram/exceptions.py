"""One tree of errors. Each says what was wrong and what to do, and knows whether trying again can help."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar


class InstagramError(Exception):
    """Anything that keeps a video from being posted.

    :param message: What was wrong, and with what.
    :param hint: What the person in front of the screen can do about it.
    :param code: Meta's error code, when Meta said no.
    :param subcode: Meta's error subcode.
    :param fbtrace_id: Meta's id of the failed call, which Meta's support asks for.
    :param user_message: Meta's own words for the account's owner.
    :param retry_after: How long to wait before another try, where that is known.
    :param outcome_unknown: Whether what was asked for may have happened although it was not confirmed.
    """

    #: Whether the same thing, tried again later, can succeed.
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: int | None = None,
        subcode: int | None = None,
        fbtrace_id: str | None = None,
        user_message: str | None = None,
        retry_after: timedelta | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.subcode = subcode
        self.fbtrace_id = fbtrace_id
        self.user_message = user_message
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown

    def __str__(self) -> str:
        parts = [_sentence(self.message)]
        if self.user_message and self.user_message not in self.message:
            parts.append(_sentence(f"Instagram says: {self.user_message}"))
        if self.hint:
            parts.append(_sentence(self.hint))
        if self.code is not None:
            numbers = str(self.code) if self.subcode is None else f"{self.code}/{self.subcode}"
            parts.append(f"[code {numbers}{f', fbtrace_id {self.fbtrace_id}' if self.fbtrace_id else ''}]")
        return " ".join(parts)

    def as_data(self) -> dict[str, Any]:
        """Everything the error knows, as plain data, for the way from a trigger to its task."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "code": self.code,
            "subcode": self.subcode,
            "fbtrace_id": self.fbtrace_id,
            "user_message": self.user_message,
            "retry_after_s": None if self.retry_after is None else self.retry_after.total_seconds(),
            "outcome_unknown": self.outcome_unknown,
        }

    @staticmethod
    def from_data(data: dict[str, Any]) -> InstagramError:
        """Rebuild the error that :meth:`as_data` described, as the class that it was."""
        seconds = data["retry_after_s"]
        return ERRORS[data["error"]](
            data["message"],
            hint=data["hint"],
            code=data["code"],
            subcode=data["subcode"],
            fbtrace_id=data["fbtrace_id"],
            user_message=data["user_message"],
            retry_after=None if seconds is None else timedelta(seconds=seconds),
            outcome_unknown=data["outcome_unknown"],
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return InstagramError.from_data, (self.as_data(),)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


class ValidationError(InstagramError):
    """We refused before calling Instagram: the input breaks a documented rule."""


class AuthenticationError(InstagramError):
    """The access token is expired, revoked or malformed: somebody has to reconnect the account."""


class PermissionDeniedError(InstagramError):
    """The token is good but may not do this: a scope, a capability or the account itself is missing or restricted."""


class RateLimitError(InstagramError):
    """Too many calls. Calling on makes the wait longer, so hold back for :attr:`retry_after`."""

    retryable = True


class QuotaExhaustedError(InstagramError):
    """The account has used up its posts for the rolling day. The container stays good for its 24 hours."""

    retryable = True


class MediaRejectedError(InstagramError):
    """Instagram could not use the video, its cover or its parameters."""


class ContainerExpiredError(InstagramError):
    """The container was not published within 24 hours, or does not exist any more: a new one is needed."""


class NotReadyError(InstagramError):
    """The container is still being processed."""

    retryable = True


class TransientError(InstagramError):
    """Instagram or the network failed in a way that passes."""

    retryable = True


class OutcomeUnknownError(InstagramError):
    """The post may or may not be live, and no reading of the account can tell. Never repeated automatically."""

    def __init__(self, message: str, **known: Any) -> None:
        super().__init__(message, **{"outcome_unknown": True, **known})


class TranscodeError(InstagramError):
    """ffmpeg could not make a compliant video out of the source."""


ERRORS: dict[str, type[InstagramError]] = {
    cls.__name__: cls
    for cls in (
        InstagramError,
        ValidationError,
        AuthenticationError,
        PermissionDeniedError,
        RateLimitError,
        QuotaExhaustedError,
        MediaRejectedError,
        ContainerExpiredError,
        NotReadyError,
        TransientError,
        OutcomeUnknownError,
        TranscodeError,
    )
}
