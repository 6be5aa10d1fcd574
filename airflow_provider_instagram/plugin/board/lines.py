"""The lines of a calendar's file that make a post, without the signatures of its links."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.file.model import InvalidPost
from airflow_provider_instagram.files.locations import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_instagram.calendar.file.model import Post

MOST_LINES: Final = 200


def lines_of(post: Post | InvalidPost, text: str, location: str, other_lines: Iterable[int]) -> str | None:
    """Return the lines of a post as they are in the file.

    :param post: The post.
    :param text: The file's text.
    :param location: The file, whose ending determines the format.
    :param other_lines: The lines in which other posts begin.
    :return: The lines; None if a signature in them cannot be found and removed.
    """
    lines = text.splitlines()
    first = post.line - 1
    if not 0 <= first < len(lines):
        return ""
    last = min((line - 1 for line in other_lines if line > post.line), default=len(lines))
    chosen = lines[first : min(last, first + MOST_LINES)]
    if PurePosixPath(location).suffix.lower() in (".yaml", ".yml"):
        chosen = _of_yaml_item(chosen)
    while chosen and not chosen[-1].strip():
        chosen.pop()
    return _without_signatures("\n".join(chosen), post)


def _of_yaml_item(lines: list[str]) -> list[str]:
    """Return the lines of one item of a list: until a line that is not indented more than its dash."""
    indent = len(lines[0]) - len(lines[0].lstrip(" "))
    for index, line in enumerate(lines[1:], 1):
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            return lines[:index]
    return lines


def _without_signatures(text: str, post: Post | InvalidPost) -> str | None:
    if isinstance(post, InvalidPost):
        return None if "http" in text.lower() else text  # its links could not be read
    links = [*post.media, str(post.options.get("cover_url") or "")]
    for secret in (secret for link in links for secret in secrets_in(link)):
        if secret in text:
            text = text.replace(secret, "…")
        elif "http" in text.lower() or "\\" in text:
            return None  # it may be there in another spelling
    return text
