"""The tables of the reference and the numbers in sentences, as Markdown, from the same data that the code uses.

``python -m docs.tables`` writes them into the pages, and a test compares.
"""

from __future__ import annotations

import argparse
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow.cli.cli_config import ActionCommand, GroupCommand

from airflow_provider_instagram.calendar.dag import MAX_LOOKS
from airflow_provider_instagram.calendar.file.columns import (
    CALENDAR_FIELDS,
    CalendarPost,
    WrittenPost,
)
from airflow_provider_instagram.calendar.tasks.previews import MOST_AT_ONCE
from airflow_provider_instagram.calendar.tasks.tell import TellPost
from airflow_provider_instagram.cli.definition import get_instagram_commands
from airflow_provider_instagram.exceptions import ERRORS
from airflow_provider_instagram.files.access import LONGEST_LOCATION
from airflow_provider_instagram.files.old_files import SHORTEST
from airflow_provider_instagram.get_provider_info import CONNECTION, SETTINGS
from airflow_provider_instagram.graph.capabilities import BUSINESS, CAPABILITIES, MetaLogin
from airflow_provider_instagram.graph.errors import RULES
from airflow_provider_instagram.hooks.token_store import EXPIRY_WARNING, LONG_LIVED_LIFETIME
from airflow_provider_instagram.insights.dag import CollectInsights
from airflow_provider_instagram.insights.results import MOST_DAYS, MOST_POSTS
from airflow_provider_instagram.media.spec import FEED, FEED_PICTURE, REELS, STORY
from airflow_provider_instagram.operators.base import InstagramTask
from airflow_provider_instagram.posts import limits
from airflow_provider_instagram.posts.fields import EVERY_KIND
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.publishing.outcome import (
    POST_VISIBLE_WITHIN,
    REQUEST_IN_EFFECT_WITHIN,
)
from airflow_provider_instagram.quota.call_budget import INSIGHTS_SHARE
from docs.members import members, plain, table
from instagram_sandbox.http.endpoints import ENDPOINTS, LOGINS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta

    from airflow_provider_instagram.graph.capabilities import Capability


ROOT: Final = Path(__file__).parents[1]


def settings() -> str:
    """Return the settings of the section ``[instagram]``."""
    rows = [
        (
            f"`{name}`",
            _also(option["description"], default=option["default"], example=option["example"]),
        )
        for name, option in SETTINGS["options"].items()
    ]
    return table(("setting", "meaning"), rows)


def connection() -> str:
    """Return the fields of the connection's extra."""
    rows = [
        (
            f"`{name}`",
            field["label"],
            field["description"],
            _code(str(field["schema"].get("default", ""))),
        )
        for name, field in CONNECTION["conn-fields"].items()
    ]
    return table(("extra", "field of the form", "meaning", "default"), rows)


def calendar_fields() -> str:
    """Return the fields of a post in a calendar. Those that only some kinds of posts take name these."""
    defaults = {
        name: info.default
        for model in (CalendarPost, WrittenPost)
        for name, info in model.model_fields.items()
    }
    rows = [
        (
            f"`{name}`",
            _also(about.says, default=_default(defaults[name])),
            "all"
            if about.kinds == EVERY_KIND
            else ", ".join(kind for kind in PostKind if kind in about.kinds),
        )
        for name, about in CALENDAR_FIELDS.items()
    ]
    return table(("field", "meaning", "posts"), rows)


def error_classes() -> str:
    """Return the classes of errors, and whether a retry can help."""
    rows = [
        (
            f"`{name}`",
            f"{plain((cls.__doc__ or '').strip())} A retry {'can' if cls.retryable else 'cannot'} help.",
        )
        for name, cls in [*ERRORS.items()][1:]
    ]
    return table(("error", "meaning"), rows)


def operators() -> str:
    """Return the operators and the sensor, with their arguments."""
    from airflow_provider_instagram.operators import __all__ as names

    return members(*(f"operators.{name}" for name in names), "sensors.ContainerStatusSensor")


def functions() -> str:
    """Return what a DAG file may import besides operators."""
    return members(
        "calendar.content_calendar_dag",
        "insights.insights_dag",
        "insights.SqlTarget",
        "operators.token.token_refresh_dag",
        "doctor.instagram_doctor_dag",
        "files.access.inside_media_roots",
        "hooks.scopes.known_scopes",
        "triggers.ContainerStatusTrigger",
        "triggers.InstagramCommentTrigger",
        "operators.base.InstagramRetryPolicy",
    )


def reads() -> str:
    """Return the hook, the calls that only read, and what they return."""
    ours = "get_account,list_media,get_media,get_comments,get_insights"
    returned = ("models.Media", "models.Comment", "models.Page", "models.PublishingLimit:remaining")
    sent = "container_status,publishing_limit,stories,media_list,media_insights,account_insights,search_audio,"
    return members(
        f"hooks.InstagramHook:{ours},get_conn,get_readonly_conn,get_async_conn,ig_user_id,refresh_token,test_connection",
        *(
            f"graph.{name}"
            for name in (*returned, "insight_reader.Reading:reason_of", "models.Account")
        ),
        "graph.client.GraphClient:send",
        "graph.client.AsyncGraphClient:send",
        f"graph.calls:{sent}comment_list,comment,reply_list,comment_count",
    )


def profiles() -> str:
    """Return the profiles of media."""
    return members("media.spec.VideoSpec", "media.spec.PictureSpec")


def error_codes() -> str:
    """Return what each of Meta's error codes means. Rules that differ in their code alone share a row."""
    grouped: dict[tuple[str, ...], list[tuple[int | None, int | None]]] = {}
    for rule in RULES:
        shown = (rule.error.__name__, f"{rule.meaning}. {rule.hint}{_retried(rule.after)}")
        grouped.setdefault(shown, []).append((rule.code, rule.subcode))
    rows = [
        (_numbers(numbers), f"`{error}`", meaning) for (error, meaning), numbers in grouped.items()
    ]
    return table(("code/subcode", "error", "meaning and remedy"), rows)


def commands() -> str:
    """Return the commands of ``airflow instagram``, with their arguments."""
    return "\n\n".join(
        f"## `{name}`\n\n{_plain(command.description or f'{command.help}.')}" + _arguments(command)
        for name, command in _flat(get_instagram_commands(), "airflow")
    )


def endpoints() -> str:
    """Return what the sandbox serves of the Graph API, to whom, and with which permission."""
    yes = {True: "yes", False: "no"}
    rows = [
        (
            f"`{one.method} {one.path}`",
            f"`{one.operation}`",
            *(yes[bool(tokens & one.tokens)] for tokens in LOGINS.values()),
            ", ".join(f"`{name}`" for name in one.permission or () if name),
        )
        for one in ENDPOINTS
    ]
    return table(("call", "in the journal", *LOGINS, "permission"), rows)


def capabilities() -> str:
    """Return what an account can do, by login, type and scopes."""
    rows = [
        (
            one.name,
            *(_with_scopes(one, login) for login in (MetaLogin.INSTAGRAM, MetaLogin.FACEBOOK)),
            "as Facebook Login" if one.is_in_unified else "as Facebook Login; Meta names only that",
            "business" if one.account_types == BUSINESS else "professional",
            one.source,
        )
        for one in CAPABILITIES
    ]
    return table(("what", *(login.in_words for login in MetaLogin), "account", "Meta's page"), rows)


def _with_scopes(capability: Capability, login: MetaLogin) -> str:
    return ", ".join(f"`{scope}`" for scope in capability.scopes(login)) or "no"


TABLES: Final[dict[str, Callable[[], str]]] = {
    "capabilities": capabilities,
    "settings": settings,
    "connection": connection,
    "calendar fields": calendar_fields,
    "error classes": error_classes,
    "error codes": error_codes,
    "commands": commands,
    "endpoints": endpoints,
    "operators": operators,
    "functions": functions,
    "reads": reads,
    "profiles": profiles,
}
END: Final = "<!-- end of table -->"
#: A comment in a line of its own that names a table, and the table behind it, if it was written.
TABLE: Final = re.compile(
    rf"^<!-- table: ([\w ]+) -->$(?:(?:(?!^<!-- table: ).)*?^{END}$)?", re.MULTILINE | re.DOTALL
)


def filled(text: str) -> str:
    """Return a page with its tables, and with the numbers before each ``<!-- = name -->``, as the code has them."""
    text = TABLE.sub(
        lambda found: f"<!-- table: {found[1]} -->\n\n{TABLES[found[1]]()}\n\n{END}", text
    )
    return NUMBER.sub(lambda found: f"{NUMBERS[found[1]]:,}<!-- = {found[1]} -->", text)


def without_tables(text: str) -> str:
    """Return a page as people wrote it."""
    return TABLE.sub(lambda found: f"<!-- table: {found[1]} -->", text)


def _default_of(task: type, argument: str) -> Any:
    """Return the default of an argument of a constructor."""
    return inspect.signature(task.__init__).parameters[argument].default  # type: ignore[misc]


def _setting(name: str) -> int:
    return int(SETTINGS["options"][name]["default"])


def _of_account(name: str) -> int:
    """Return the default of a limit in the connection."""
    return int(CONNECTION["conn-fields"][name]["schema"]["default"])


NUMBER: Final = re.compile(r"[\d.,]+<!-- = ([\w ]+) -->")
#: The numbers that stand in sentences. A page shows one as ``100<!-- = reel MB -->``; a test
#: compares them.
NUMBERS: Final[dict[str, int]] = {
    "reel MB": REELS.max_size_bytes // 10**6,
    "reel seconds": int(REELS.max_duration_s),
    "feed seconds": int(FEED.max_duration_s),
    "story seconds": int(STORY.max_duration_s),
    "picture MB": FEED_PICTURE.max_size_bytes // 10**6,
    "caption": limits.LONGEST_CAPTION,
    "hashtags": limits.MOST_HASHTAGS,
    "mentions": limits.MOST_MENTIONS,
    "items": limits.MOST_ITEMS,
    "comment": limits.LONGEST_COMMENT,
    "comment hashtags": limits.MOST_HASHTAGS_OF_COMMENT,
    "comment links": limits.MOST_LINKS_OF_COMMENT,
    "message": limits.MOST_BYTES_OF_MESSAGE,
    "location": LONGEST_LOCATION,
    "effect seconds": int(REQUEST_IN_EFFECT_WITHIN.total_seconds()),
    "visible seconds": int(POST_VISIBLE_WITHIN.total_seconds()),
    "retries": _default_of(InstagramTask, "retries"),
    "insights retries": _default_of(CollectInsights, "retries"),
    "tell retries": _default_of(TellPost, "retries"),
    "kept days": _setting("keep_results_days"),
    "fewest kept days": SHORTEST.days,
    "calls per hour": _of_account("calls_per_hour"),
    "posts per hour": _of_account("posts_per_hour"),
    "posts per day": _of_account("posts_per_day"),
    "insights percent": round(INSIGHTS_SHARE * 100),
    "token days": LONG_LIVED_LIFETIME.days,
    "warning days": EXPIRY_WARNING.days,
    "looks": MAX_LOOKS,
    "previews": MOST_AT_ONCE,
    "results posts": MOST_POSTS,
    "results days": MOST_DAYS,
}


def _flat(found: Iterable[Any], prefix: str) -> Iterator[tuple[str, ActionCommand]]:
    """Yield each command with its full name."""
    for command in found:
        name = f"{prefix} {command.name}"
        if isinstance(command, GroupCommand):
            yield from _flat(command.subcommands, name)
        else:
            yield name, command


def _arguments(command: ActionCommand) -> str:
    parser = argparse.ArgumentParser(add_help=False)
    for arg in command.args:
        arg.add_to_parser(parser)
    rows = [
        (
            ", ".join(f"`{flag}`" for flag in action.option_strings) or f"`{action.dest.upper()}`",
            _help(action),
        )
        for action in parser._actions
    ]
    return f"\n\n{table(('argument', 'meaning'), rows)}" if rows else ""


def _help(action: argparse.Action) -> str:
    text = (action.help or "") % {**vars(action), "prog": "airflow"}
    choices = (
        f" One of {', '.join(f'`{choice}`' for choice in action.choices)}."
        if action.choices
        else ""
    )
    return _plain(f"{text.rstrip('.')}.{choices}")


def _numbers(numbers: list[tuple[int | None, int | None]]) -> str:
    """Return error codes. Many that follow one another are a range."""
    written = [
        f"{'container' if code is None else code}{f'/{subcode}' if subcode else ''}"
        for code, subcode in numbers
    ]
    run = [code for code, subcode in numbers if code is not None and subcode is None]
    hundred = [code for code in run if 200 <= code < 300]
    if len(hundred) == 100:
        written = [text for text in written if not re.fullmatch(r"2\d\d", text)] + ["200 to 299"]
    return ", ".join(written)


def _retried(after: timedelta | None) -> str:
    return "" if after is None else f" Retried after {after.total_seconds():.0f} s."


def _plain(text: str) -> str:
    """Return a text in one line, as Markdown."""
    return " ".join(plain(text.replace(r"\[", "[")).split())


def _also(text: str, **values: str | None) -> str:
    """Return a text and the values that are set, so that a table needs no narrow columns for them."""
    return " ".join(
        [
            text,
            *(f"{name.capitalize()}: {_code(value)}." for name, value in values.items() if value),
        ]
    )


def _default(value: Any) -> str | None:
    return str(value).lower() if isinstance(value, (str, bool)) else None


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":  # writes the tables and the numbers of all pages
    for page in (*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("docs/*/*.md")):
        page.write_text(filled(page.read_text()))
