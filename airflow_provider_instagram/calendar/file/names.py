"""The names that a calendar knows, and what to do about another one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from airflow_provider_instagram.calendar.file.model import CALENDAR_FIELDS

#: What a file may contain, each with its meaning.
SETTINGS: Final = {
    "defaults": "The values of posts that have none of their own.",
    "min_spacing": "The least distance between an account's posts, such as 15 minutes. A number alone counts minutes.",
    "slots": "The weekly times of each account, for posts without publish_at: [Mon 08:30, Thu 19:00]. "
    "airflow instagram calendar fill writes one into each post.",
    "posts": "The posts.",
}
#: What the author of the DAG says with content_calendar_dag, and no file.
DAG_ARGUMENTS: Final = (
    *(
        "accounts",
        "calendar",
        "columns",
        "dag_id",
        "dry_run",
        "late",
        "lead_time",
        "max_lateness",
        "min_spacing",
    ),
    *("notify", "prepare_ahead"),
)


def remedy_for_field(name: str, *, suggest: bool = True) -> str:
    """Return what to do about a name that is not a field of a post.

    :param suggest: Whether to look for a similar name, which is slow.
    """
    folded, found = _folded(name), list[str]()
    if folded in SETTINGS:
        found.append(
            "It is a setting of the whole file: write it at the head of a YAML or JSON calendar."
        )
    return _remedy(
        folded,
        found,
        CALENDAR_FIELDS if suggest else (),
        f"The fields are {', '.join(CALENDAR_FIELDS)}.",
    )


def remedy_for_setting(name: str) -> str:
    """Return what to do about a name that is not a setting of a file."""
    folded, found = _folded(name), list[str]()
    if folded in CALENDAR_FIELDS and CALENDAR_FIELDS[folded].has_default:
        found.append("It is a field of a post: write it below defaults, for all posts.")
    return _remedy(folded, found, SETTINGS, f"The settings are {', '.join(SETTINGS)}.")


def _remedy(folded: str, found: list[str], known: Iterable[str], otherwise: str) -> str:
    if folded in DAG_ARGUMENTS:
        found.append(
            f"It is an argument of content_calendar_dag: write {folded}=… in the DAG file."
        )
    found += [f"Did you mean {close}?" for close in difflib.get_close_matches(folded, [*known], 1)]
    return " ".join(found) or otherwise


def _folded(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
