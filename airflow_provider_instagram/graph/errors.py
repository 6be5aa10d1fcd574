"""The table of Meta's error codes, and how to turn an error answer into an exception.

Source: Meta, Instagram Platform error codes and Graph API error handling. The HTTP status is 400
for almost everything, ``type`` is OAuthException for all kinds and ``is_transient`` is false on
temporary errors, so only the code and the subcode count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Any, Final

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    NotReadyError,
    OutcomeUnknownError,
    PermissionDeniedError,
    QuotaExhaustedError,
    RateLimitError,
    TransientError,
)
from airflow_provider_instagram.graph.capabilities import FEATURES
from airflow_provider_instagram.graph.fields import LARGEST_NUMBER, Data, as_mapping, read_json
from airflow_provider_instagram.graph.redaction import HTML_PAGE, quoted
from airflow_provider_instagram.graph.usage import Headers, Usage

#: Subcodes from here on have one meaning, whatever their code. The meaning of a smaller subcode
#: depends on its code.
_FIRST_UNIQUE_SUBCODE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """The meaning of one row of Meta's table.

    :param code: Meta's error code. None for a subcode that only appears on containers.
    :param subcode: Meta's error subcode. None matches no subcode and every subcode without a rule.
    :param after: When a retry makes sense.
    :param may_have_taken_effect: Whether a change may have taken effect in spite of the error.
    :param new_containers: How many new containers are worth creating after this error.
    """

    code: int | None
    subcode: int | None
    error: type[InstagramError]
    meaning: str
    hint: str
    after: timedelta | None = None
    may_have_taken_effect: bool = False
    new_containers: int = 0


_RECONNECT: Final = "Connect the account again and enter the new token in the Airflow connection."
_SCOPES: Final = "; ".join(
    f"{feature.name}: {' and '.join(feature.instagram)}"
    for feature in FEATURES
    if feature.instagram
)
_GRANT: Final = (
    f"Connect the account again with the scopes of what it is used for ({_SCOPES}), and check that the Meta app may "
    "use them."
)
_SLOW_DOWN: Final = (
    "Wait before the next call. Calls while the account is throttled make the wait longer."
)
_LATER: Final = "This is temporary: try again later."
_TRANSCODE: Final = (
    "Run the video through TranscodeOperator first. If you already did, use another video."
)
_TRANSCODE_PICTURE: Final = (
    "Run the picture through TranscodeOperator first. If you already did, use another picture."
)
_FETCH: Final = (
    "The link must be public, in ASCII, without redirects, served with the content type of a picture or a video, and "
    "valid for 24 hours."
)
_MAY_HELP: Final = (
    "A retry may help or not. If it does not, look up the error in Meta's error reference."
)
_NEW_CONTAINER: Final = (
    "Clear the create task and the tasks downstream of it to create a new container."
)
_PARAMETER: Final = "Correct the parameters of the create task and clear it."

_BAD_PARAMETER: Final = {
    2207023: "The media type is unknown",
    2207028: "The carousel's children are not valid",
    2207035: "The tags of a video must not have a position",
    2207036: "The tags of a photo must have a position",
    2207037: "A product tag cannot be used",
    2207040: "Too many accounts or products are tagged",
    2207089: "Single videos must be posted as reels: media_type VIDEO is not accepted",
}
_UNFIT_PICTURE: Final = {
    (36000, 2207004): "The picture is too large: at most 8 MB are allowed",
    (36001, 2207005): "The format of the picture is not supported: it must be a JPEG",
    (36003, 2207009): "The aspect ratio of the picture is not between 4:5 and 1.91:1",
}
_FAILED_AT_INSTAGRAM: Final = {
    2207001: "Instagram's server failed",
    2207032: "Instagram could not create the media",
    2207053: "The upload failed on Instagram's side",
    None: "Instagram failed with an unknown error",
}
_REFUSED_CODE: Final = {
    36007: (
        "The login code is not valid, or is older than an hour",
        "Log in again: a code is valid for one hour.",
    ),
    36008: (
        "The login code was given for another redirect URI",
        "Log in again, and keep to one address of Airflow: [api] base_url, or --redirect-uri.",
    ),
    36009: (
        "The login code was used before",
        "Log in again: a code works once. Do not load the last page again.",
    ),
}
_FAILED_ON_CONTAINER: Final = {
    2207076: "The media could not be fetched or processed",
    2207077: "The media could not be fetched or processed",
    2207082: "The media could not be uploaded",
    2207085: "The media could not be fetched or processed",
    1363008: "The media could not be fetched or processed",
}

RULES: Final = (
    Rule(
        190,
        None,
        AuthenticationError,
        "The access token is expired, revoked or malformed",
        _RECONNECT,
    ),
    Rule(
        190,
        459,
        PermissionDeniedError,
        "Instagram asks the account's owner to confirm that it is them",
        "Log in to the account at instagram.com or in the app, follow the instructions there, and clear this task. The "
        "access token stays valid.",
    ),
    Rule(102, None, AuthenticationError, "The session has ended", _RECONNECT),
    *(
        Rule(100, subcode, AuthenticationError, meaning, hint)
        for subcode, (meaning, hint) in _REFUSED_CODE.items()
    ),
    *(
        Rule(
            code,
            None,
            PermissionDeniedError,
            "A permission or a capability of the app is missing",
            _GRANT,
        )
        for code in (3, 10, *range(200, 300))
    ),
    *(
        Rule(code, None, RateLimitError, "Too many calls", _SLOW_DOWN)
        for code in (4, 17, 32, 341, 613)
    ),
    Rule(80002, None, RateLimitError, "The account has used up its calls", _SLOW_DOWN),
    Rule(
        4,
        2207051,
        PermissionDeniedError,
        "Instagram restricts this activity as suspected spam, but the post may be live",
        "Check the account in the Instagram app before you try again.",
        may_have_taken_effect=True,
    ),
    Rule(
        9,
        2207042,
        QuotaExhaustedError,
        "The account has used up its posts for the last 24 hours",
        "Publish the same container again later. A container stays valid for 24 hours.",
    ),
    *(
        Rule(
            9007,
            subcode,
            NotReadyError,
            "The container is not ready to be published",
            "Publish it again in a few seconds.",
            after=timedelta(seconds=15),
        )
        for subcode in (2207027, 2207055, None)
    ),
    *(
        Rule(
            24,
            subcode,
            NotReadyError,
            "The container was not found: it has expired, or is not visible yet",
            f"If this lasts longer than two minutes, the container no longer exists. {_NEW_CONTAINER}",
            after=timedelta(seconds=30),
            new_containers=1,
        )
        for subcode in (2207006, 2207008)
    ),
    Rule(
        -2,
        2207020,
        ContainerExpiredError,
        "The container's media has expired",
        _NEW_CONTAINER,
        new_containers=3,
    ),
    Rule(
        -2,
        2207003,
        MediaRejectedError,
        "Fetching the media took too long",
        _FETCH,
        new_containers=3,
    ),
    *(
        Rule(
            -1,
            subcode,
            TransientError,
            meaning,
            _LATER,
            may_have_taken_effect=True,
            new_containers=3,
        )
        for subcode, meaning in _FAILED_AT_INSTAGRAM.items()
    ),
    *(
        Rule(
            code,
            None,
            TransientError,
            "Instagram failed or is unavailable",
            _LATER,
            may_have_taken_effect=True,
        )
        for code in (1, 2)
    ),
    Rule(352, 2207026, MediaRejectedError, "The format of the video is not supported", _TRANSCODE),
    *(
        Rule(code, subcode, MediaRejectedError, meaning, _TRANSCODE_PICTURE)
        for (code, subcode), meaning in _UNFIT_PICTURE.items()
    ),
    Rule(
        110,
        2207018,
        MediaRejectedError,
        "A collaborator cannot be invited",
        "Check the names in collaborators. An account may have refused invitations.",
    ),
    Rule(
        110,
        2207013,
        MediaRejectedError,
        "No professional account has this user name",
        "Check the name. An account can also be named by its Instagram user id.",
    ),
    Rule(
        9004,
        2207052,
        MediaRejectedError,
        "The media could not be fetched from their link",
        _FETCH,
        new_containers=1,
    ),
    *(
        Rule(None, subcode, MediaRejectedError, meaning, _TRANSCODE, new_containers=1)
        for subcode, meaning in _FAILED_ON_CONTAINER.items()
    ),
    Rule(
        None,
        2207081,
        PermissionDeniedError,
        "The account is not allowed to post trial reels",
        "Remove trial_graduation, or use an account that has the feature.",
    ),
    Rule(
        25,
        2207050,
        PermissionDeniedError,
        "The account is restricted or inactive",
        "Open the Instagram app, log in to the account and follow the instructions.",
    ),
    Rule(
        36004,
        2207010,
        MediaRejectedError,
        "The caption is too long",
        "Use at most 2,200 characters, 30 hashtags and 20 @mentions.",
    ),
    Rule(
        1,
        2207057,
        MediaRejectedError,
        "The cover's time is outside the video",
        "Use a time within the video.",
    ),
    *(
        Rule(100, subcode, MediaRejectedError, meaning, _PARAMETER)
        for subcode, meaning in _BAD_PARAMETER.items()
    ),
    Rule(
        100,
        33,
        NotReadyError,
        "The object does not exist, is not visible yet, or belongs to another account",
        "A new id can take minutes to be visible. Otherwise, compare the Instagram user id with the token's account.",
        after=timedelta(seconds=30),
        may_have_taken_effect=True,
    ),
    Rule(
        368,
        None,
        PermissionDeniedError,
        "The action is blocked for breaking a policy",
        "Open the Instagram app and check the account's status. The block may be temporary.",
    ),
    Rule(
        506,
        None,
        OutcomeUnknownError,
        "Instagram considers this a duplicate post",
        "Check whether the post is live before you post it again.",
        may_have_taken_effect=True,
    ),
    Rule(
        20,
        1772107,
        OutcomeUnknownError,
        "Instagram cannot answer in the form that was asked for, after the change",
        "Look at Instagram: the comment is usually there.",
        may_have_taken_effect=True,
    ),
)

_EXACT: Final = {(rule.code, rule.subcode): rule for rule in RULES}
_BY_SUBCODE: Final = {
    rule.subcode: rule for rule in RULES if (rule.subcode or 0) >= _FIRST_UNIQUE_SUBCODE
}

#: An undocumented error does not tell whether a change took effect.
_UNDOCUMENTED: Final = Rule(
    None,
    None,
    InstagramError,
    "Instagram returned an undocumented error",
    _MAY_HELP,
    may_have_taken_effect=True,
)
_UNDOCUMENTED_FAILURE: Final = replace(_UNDOCUMENTED, error=TransientError, hint=_LATER)

_LOGIN: Final = (
    "Log in again: a code is valid once, for one hour. If that does not help, check the app secret."
)
_APP_VALUES: Final = (
    "Copy the app id and the app secret from your Meta app: for Instagram Login from Instagram, API setup with "
    "Instagram login; for Facebook and Unified Login from App settings, Basic. Enter them on the Instagram page, or in "
    "the connection's fields 'Meta app id' and 'Meta app secret', and connect the account again."
)
_DATA_ENDED: Final = (
    "Instagram gives this app no more data of the account: its owner must log in again"
)
#: What Meta says of a wrong app and of access to data that has ended, with codes that mean
#: something else, too. Source: reports of clients.
_BY_WORDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), Rule(None, None, AuthenticationError, meaning, hint))
    for pattern, meaning, hint in (
        ("require an appsecret_proof", "The app secret is missing", _APP_VALUES),
        ("client.secret|appsecret_proof", "The app secret is wrong", _APP_VALUES),
        (
            "client.id|platform app|validating application",
            "Meta knows no app with this app id",
            _APP_VALUES,
        ),
        (r"\bdata\b.* expired", _DATA_ENDED, _RECONNECT),
    )
)

#: What the upload host's ``debug_info.type`` means. Source: Meta, resumable uploads.
UPLOAD_RULES: Final[Mapping[str, tuple[type[InstagramError], str, str]]] = {
    "NotAuthorizedError": (
        PermissionDeniedError,
        "The account is not allowed to upload videos",
        'Use upload="url" instead, with the video at a public https address or in object storage.',
    ),
    "ProcessingFailedError": (
        MediaRejectedError,
        "Instagram could not process the uploaded video",
        _TRANSCODE,
    ),
    "OffsetInvalidError": (
        TransientError,
        "The upload continued at a different byte than Instagram expects",
        _LATER,
    ),
    "PartialRequestError": (TransientError, "The upload ended before its last byte", _LATER),
}


def _rule_by_words(meta_message: str) -> Rule | None:
    return next((rule for pattern, rule in _BY_WORDS if pattern.search(meta_message)), None)


def rule_for(code: int | None, subcode: int | None) -> Rule | None:
    """Return the most specific rule for an error, or None for an undocumented code."""
    return _EXACT.get((code, subcode)) or _BY_SUBCODE.get(subcode) or _EXACT.get((code, None))


class Cause(Enum):
    """An error that some caller answers in its own way, instead of failing."""

    #: A parameter is not valid, for example a field or a metric that the object does not have.
    INVALID_PARAMETER = "invalid parameter"
    #: The object does not exist, or is not visible to the account.
    NO_SUCH_OBJECT = "no such object"
    #: The containers of a carousel's items cannot be used.
    INVALID_CHILDREN = "invalid children"
    #: The post was made before the account became a professional one, so it has no insights.
    OLDER_THAN_ACCOUNT = "older than the account"
    #: Fewer than five accounts have seen the story, so Meta keeps its metrics private.
    TOO_FEW_VIEWERS = "too few viewers"
    #: A permission or a capability is missing.
    NO_PERMISSION = "no permission"
    #: The media or the cover could not be fetched from their link.
    NOT_FETCHED = "not fetched"
    #: The file cannot be used. Instagram would refuse it again.
    UNFIT_FILE = "unfit file"
    #: The file could not be used. If Instagram fetches it, the fetch may have failed instead.
    NOT_FETCHED_OR_UNFIT = "not fetched, or an unfit file"


_CAUSES: Final[dict[tuple[int | None, int | None], Cause]] = {
    (100, None): Cause.INVALID_PARAMETER,
    **{(code, None): Cause.NO_PERMISSION for code in (3, 10, *range(200, 300))},
    (100, 33): Cause.NO_SUCH_OBJECT,
    (None, 2207028): Cause.INVALID_CHILDREN,
    (None, 2108006): Cause.OLDER_THAN_ACCOUNT,
    **{(None, subcode): Cause.NOT_FETCHED for subcode in (2207003, 2207052)},
    **{(None, subcode): Cause.NOT_FETCHED_OR_UNFIT for subcode in _FAILED_ON_CONTAINER},
    **{
        (None, subcode): Cause.UNFIT_FILE
        for subcode in (2207026, *(subcode for _, subcode in _UNFIT_PICTURE))
    },
}


def cause_of(error: InstagramError) -> Cause | None:
    """Return the cause of an error, or None if no caller answers it."""
    # the code alone means that a permission is missing
    if error.code == 10 and "viewers" in str(error).lower():
        return Cause.TOO_FEW_VIEWERS
    if isinstance(error, MediaRejectedError) and error.code is None and error.subcode is None:
        return Cause.NOT_FETCHED_OR_UNFIT  # a container or an upload that failed without a code
    if isinstance(error, AuthenticationError):
        return None
    code = None if (error.subcode or 0) >= _FIRST_UNIQUE_SUBCODE else error.code
    return _CAUSES.get((code, error.subcode))


def error_from_answer(
    action: str,
    status: int,
    headers: Headers,
    body: bytes,
    *,
    changes: bool,
    host: str = "",
) -> InstagramError:
    """Turn an error answer into an exception. If the call ``changes`` something, its outcome can be unknown."""
    answer = as_mapping(read_json(body))
    if isinstance(error := answer.get("error"), dict):
        return _graph_error(action, status, headers, error, changes=changes)
    if isinstance(debug := answer.get("debug_info"), dict):
        return _upload_error(action, status, debug)
    if "error_message" in answer:
        meta_message = _text_of(answer.get("error_message"))
        rule = _rule_by_words(meta_message)
        return AuthenticationError(
            f"Cannot {action}: {rule.meaning if rule else 'Instagram refused the login'}{_quoted(meta_message)}.",
            hint=rule.hint if rule else _LOGIN,
            code=_integer(answer.get("code")),
        )
    return _error_without_code(action, status, headers, body, changes=changes, host=host)


def _graph_error(
    action: str, status: int, headers: Headers, error: Data, *, changes: bool
) -> InstagramError:
    code = _integer(error.get("code"))
    subcode = _integer(error.get("error_subcode")) or None
    meta_message = _text_of(error.get("message")) or (
        quoted(json.dumps(error)) if code is None else ""
    )
    details: dict[str, Any] = {
        "code": code,
        "subcode": subcode,
        "fbtrace_id": _text_of(error.get("fbtrace_id")) or None,
        "user_message": _text_of(error.get("error_user_msg") or error.get("error_user_title"))
        or None,
    }
    rule = _rule_by_words(meta_message) or rule_for(code, subcode)
    if rule is None:
        rule = _UNDOCUMENTED_FAILURE if status >= 500 else _UNDOCUMENTED
    return rule.error(
        f"Cannot {action}: {rule.meaning}{_quoted(meta_message)}.",
        hint=rule.hint,
        retry_after=_retry_after(headers) if issubclass(rule.error, RateLimitError) else rule.after,
        outcome_unknown=changes and (rule.may_have_taken_effect or status >= 500),
        **details,
    )


def _upload_error(action: str, status: int, debug: Data) -> InstagramError:
    kind = _text_of(debug.get("type"))
    meta_message = _text_of(debug.get("message"))
    is_temporary = debug.get("retriable") is True or status >= 500
    error, meaning, hint = UPLOAD_RULES.get(
        kind,
        (
            InstagramError,
            f"The upload host returned {kind or 'an error'}",
            'Try again, or send a link: upload="url".',
        ),
    )
    if is_temporary and not issubclass(error, PermissionDeniedError):
        error = TransientError
        hint = _LATER
    return error(f"Cannot {action}: {meaning}{_quoted(meta_message)}.", hint=hint)


def _error_without_code(
    action: str, status: int, headers: Headers, body: bytes, *, changes: bool, host: str
) -> InstagramError:
    """Return the error for an answer that is not Meta's, such as a proxy's page, a redirect or a gateway's 503."""
    text = quoted(body[:4000].decode(errors="replace"))
    said = f"{text} instead of an answer" if text == HTML_PAGE else text[:120]
    source = f" from {host}" if host else ""
    message = (
        f"Cannot {action}: the answer{source} was HTTP {status}{f' ({said})' if said else ''}."
    )
    if status == 429:
        return RateLimitError(message, hint=_SLOW_DOWN, retry_after=_retry_after(headers))
    if status >= 500:
        return TransientError(message, hint=_LATER, outcome_unknown=changes)
    hint = "The answer is not from Instagram's API. Check the host of the connection, and any proxy in between."
    if 300 <= status < 400:
        hint = (
            "The client does not follow redirects with a token. Correct the host of the connection."
        )
    return InstagramError(message, hint=hint, outcome_unknown=changes)


def _retry_after(headers: Headers) -> timedelta | None:
    usage = Usage.read(headers)
    if usage and usage.regain:
        return usage.regain
    seconds = headers.get("Retry-After", "")
    return timedelta(seconds=int(seconds)) if re.fullmatch(r"[0-9]{1,6}", seconds) else None


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    try:
        number = int(value)
    except ValueError:
        return None
    return number if abs(number) < LARGEST_NUMBER else None


def _text_of(value: object) -> str:
    return quoted(value) if isinstance(value, str) else ""


def _quoted(meta_message: str) -> str:
    return f" (Meta: {meta_message})" if meta_message else ""
