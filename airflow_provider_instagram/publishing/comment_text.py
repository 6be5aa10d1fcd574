"""The text of a comment, and its limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.publishing.options import BrokenLimit
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

# Source: Meta, guidelines for comments that are posted through the API. The unit of the length is undocumented: UTF-16
# is the strictest.
LONGEST_COMMENT: Final = 300
MOST_HASHTAGS: Final = 4
MOST_LINKS: Final = 1

_HASHTAG: Final = re.compile(r"#\w+")
_LINK: Final = re.compile(r"https?://|\bwww\.", re.IGNORECASE)


def read_message(value: Any) -> str | None:
    """Read the text of a comment.

    :return: The text, or None if it is empty.
    :raises ValidationError: If the text breaks a limit.
    """
    message = arguments.text("message", value)
    if message is not None and (broken := list(broken_comment_limits(message))):
        raise ValidationError("This comment cannot be written: " + " ".join(map(str, broken)))
    return message


def broken_comment_limits(message: str, option: str = "message") -> Iterator[BrokenLimit]:
    """Yield each limit that the text of a comment breaks.

    :param message: The text.
    :param option: The name of the option that has the text, such as ``first_comment`` in a calendar.
    """
    length = len(message.encode("utf-16-le", "surrogatepass")) // 2
    counted = message[: 2 * LONGEST_COMMENT]  # a longer one is shortened before anything else
    if length > LONGEST_COMMENT:
        text = f"The comment has {length} characters (emoji count as two)."
        yield BrokenLimit(option, text, f"Shorten it to {LONGEST_COMMENT}.")
    if (hashtags := len(_HASHTAG.findall(counted))) > MOST_HASHTAGS:
        yield BrokenLimit(option, f"The comment has {hashtags} hashtags.", f"At most {MOST_HASHTAGS} are allowed.")
    if (links := len(_LINK.findall(counted))) > MOST_LINKS:
        yield BrokenLimit(option, f"The comment has {links} links.", f"At most {MOST_LINKS} is allowed.")
    if message.isupper():
        yield BrokenLimit(option, "The comment is all in capital letters.", "Write some letters in lower case.")
