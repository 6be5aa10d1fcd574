"""The provider's exceptions. Each one carries what was wrong, what to do, and whether a retry can help."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

#: The fields that are plain data already.
_PLAIN_FIELDS: Final = (
    "message",
    "hint",
    "code",
    "subcode",
    "fbtrace_id",
    "user_message",
    "outcome_unknown",
)


class InstagramError(Exception):
    """Base class of the provider's exceptions.

    :param message: What was wrong, and where.
    :param hint: What the user can do about it.
    :param code: Meta's error code, if Meta returned one.
    :param subcode: Meta's error subcode.
    :param fbtrace_id: Meta's id of the failed call, which Meta's support asks for.
    :param user_message: Meta's message to the account's owner.
    :param retry_after: How long to wait before the next try, if known.
    :param outcome_unknown: Whether the request may have taken effect although no answer confirmed
        it.
    """

    #: Whether a later retry can succeed.
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
            parts.append(
                f"[code {numbers}{f', fbtrace_id {self.fbtrace_id}' if self.fbtrace_id else ''}]"
            )
        return " ".join(parts)

    def as_data(self) -> dict[str, Any]:
        """Return the error as plain data, to pass it from a trigger to its task."""
        retry_after_s = None if self.retry_after is None else self.retry_after.total_seconds()
        known = {name: getattr(self, name) for name in _PLAIN_FIELDS}
        return {"error": type(self).__name__, **known, "retry_after_s": retry_after_s}

    @staticmethod
    def from_data(data: dict[str, Any]) -> InstagramError:
        """Rebuild an error from :meth:`as_data`, as an instance of its original class."""
        seconds = data["retry_after_s"]
        retry_after = None if seconds is None else timedelta(seconds=seconds)
        return ERRORS[data["error"]](
            **{name: data[name] for name in _PLAIN_FIELDS}, retry_after=retry_after
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return InstagramError.from_data, (self.as_data(),)


def own_words(error: BaseException) -> str:
    """Return what our own error says, or the type of another: its text may contain a signed link."""
    if isinstance(error, InstagramError):
        return error.message
    return f"It failed with {type(error).__name__}."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


class ValidationError(InstagramError):
    """The input or the state of the post breaks a rule, so the provider refuses to go on."""


class AuthenticationError(InstagramError):
    """The access token is expired, revoked or malformed. The account must be reconnected."""


class PermissionDeniedError(InstagramError):
    """The token is valid, but a scope or a capability is missing, or the account is restricted."""


class RateLimitError(InstagramError):
    """Too many calls. Further calls make the wait longer, so wait for :attr:`retry_after`."""

    retryable = True


class QuotaExhaustedError(InstagramError):
    """The account has used up its posts for a moving period. The container stays valid for its 24 hours."""

    retryable = True


class MediaRejectedError(InstagramError):
    """Instagram could not use the media, their cover or their parameters."""


class MediaNotFetchedError(MediaRejectedError):
    """Instagram could not fetch the media from their link. A new container fetches them again."""

    retryable = True


class ContainerExpiredError(InstagramError):
    """The container expired after 24 hours, or no longer exists. A new one is needed."""


class NotReadyError(InstagramError):
    """Instagram is still processing the container."""

    retryable = True


class TransientError(InstagramError):
    """Instagram or the network failed temporarily."""

    retryable = True


class OutcomeUnknownError(InstagramError):
    """The post may or may not be live, and reading the account cannot tell. The request is never repeated by itself."""

    def __init__(self, message: str, **known: Any) -> None:
        super().__init__(message, **{"outcome_unknown": True, **known})


class LedgerRowError(InstagramError):
    """A row of the ledger that this task needs was not written by a task of this provider, or by another version."""


class TranscodeError(InstagramError):
    """The source could not be converted into a compliant video or picture."""


_CLASSES: list[type[InstagramError]] = [
    InstagramError,
    *InstagramError.__subclasses__(),
    MediaNotFetchedError,
]
ERRORS = {cls.__name__: cls for cls in _CLASSES}
