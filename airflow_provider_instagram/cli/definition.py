"""The commands of ``airflow instagram``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, GroupCommand, lazy_load_command

if TYPE_CHECKING:
    import argparse

    from airflow.cli.cli_config import CLICommand

_LEDGER = "airflow_provider_instagram.cli.ledger"
_ACCOUNTS = "airflow_provider_instagram.cli.accounts"
_CALENDAR = "airflow_provider_instagram.cli.calendar"

ARG_CONN_ID = Arg(("--conn-id",), help="the account's connection (default: %(default)s)", default="instagram_default")
PLACEMENTS = ("reels", "feed", "story", "carousel")
ARG_ACCOUNT = Arg(("conn_id",), help="the account's connection")
SANDBOX_MISSING = "The sandbox is not installed. Install it: pip install 'airflow-provider-instagram[sandbox]'"
ARG_FILE = Arg(("file",), help="the calendar: a path or a URI, ending in .yaml, .json or .csv")
ARG_OUTPUT_FILE = Arg(("--output",), help="the file to write (default: the terminal)")
ARG_TIMEZONE = Arg(("--timezone",), help="a zone of the tz database, such as Europe/Berlin")
ARG_POST_KEY = Arg(("post_key",), help="the post_key of the post")


def get_instagram_commands() -> list[CLICommand]:
    """Return the commands of this provider (key ``cli`` of the provider's metadata)."""
    return [
        GroupCommand(
            name="instagram",
            help="Publish videos to Instagram",
            subcommands=[
                ActionCommand(
                    name="check",
                    help="Check whether a video or a picture meets Instagram's requirements",
                    description="Exit codes: 0, it does; 1, it must be transcoded first; 2, it cannot be used.",
                    func=run_check,
                    args=[
                        Arg(("file",), help="a local video or picture", type=Path),
                        Arg(("--placement",), help="default: %(default)s", default="reels", choices=PLACEMENTS),
                    ],
                ),
                _sandbox_command(),
                *_account_commands(),
                GroupCommand(
                    name="ledger",
                    help="Show and correct the record of an account's posts",
                    subcommands=_ledger_commands(),
                ),
                calendar_commands(),
                _pools_command(),
            ],
        )
    ]


def _sandbox_command() -> ActionCommand:
    """Return the command of the sandbox, which is a distribution of its own and lists its options itself."""
    try:
        from instagram_sandbox.options import OPTIONS
    except ModuleNotFoundError:
        options: list[Arg] = []
        description: str | None = SANDBOX_MISSING
    else:
        options = [Arg((flag,), **settings) for flag, settings in OPTIONS.items()]
        description = None
    return ActionCommand(
        name="sandbox",
        help="Run a strict local Instagram to test DAGs against",
        description=description,
        func=run_sandbox,
        args=options,
    )


def _account_commands() -> list[ActionCommand]:
    return [
        ActionCommand(
            name="connect",
            help="Log in to an account and store its token in a connection",
            description="Prints the URL of the login page. After the login, paste the URL that Instagram sent you to.",
            func=lazy_load_command(f"{_ACCOUNTS}.connect"),
            args=[
                ARG_ACCOUNT,
                Arg(("--app-id",), help="the Instagram app id of your Meta app"),
                Arg(("--redirect-uri",), help="default: the callback of the page Instagram, below [api] base_url"),
                Arg(("--host",), help="the Graph host of a new connection, such as a sandbox", default=""),
            ],
        ),
        ActionCommand(
            name="accounts",
            help="List the accounts with their token's remaining days and quota",
            func=lazy_load_command(f"{_ACCOUNTS}.accounts"),
            args=[ARG_OUTPUT],
        ),
        ActionCommand(
            name="refresh",
            help="Refresh the token of an account",
            func=lazy_load_command(f"{_ACCOUNTS}.refresh"),
            args=[ARG_ACCOUNT],
        ),
        ActionCommand(
            name="limits",
            help="Show how many calls and posts an account has left, and what is waiting",
            func=lazy_load_command("airflow_provider_instagram.cli.limits.show_limits"),
            args=[ARG_ACCOUNT],
        ),
        ActionCommand(
            name="doctor",
            help="Check everything that publishing needs, and say how to fix it",
            description="Exit codes: 0, no problem found; 1, something needs fixing.",
            func=lazy_load_command("airflow_provider_instagram.cli.doctor.doctor"),
            args=[ARG_ACCOUNT],
        ),
    ]


def _ledger_commands() -> list[ActionCommand]:
    return [
        ActionCommand(
            name="list",
            help="List the posts of an account, and those with an unknown outcome",
            func=lazy_load_command(f"{_LEDGER}.list_posts"),
            args=[ARG_CONN_ID],
        ),
        ActionCommand(
            name="show",
            help="Show all ledger rows of a post",
            func=lazy_load_command(f"{_LEDGER}.show_post"),
            args=[ARG_POST_KEY, ARG_CONN_ID],
        ),
        ActionCommand(
            name="settle",
            help="Record whether a post with an unknown outcome is live",
            func=lazy_load_command(f"{_LEDGER}.settle_post"),
            args=[
                ARG_POST_KEY,
                ARG_CONN_ID,
                Arg(("--live",), help="the post is live", action="store_true"),
                Arg(("--not-live",), help="the post is not live and will not appear later", action="store_true"),
                Arg(("--media-id",), help="with --live: its media id, if known"),
                Arg(("--permalink",), help="with --live: its URL, if known"),
            ],
        ),
        ActionCommand(
            name="forget",
            help="Delete a post from the ledger, so that its key can be published again",
            func=lazy_load_command(f"{_LEDGER}.forget_post"),
            args=[ARG_POST_KEY, ARG_CONN_ID, Arg(("--yes",), help="do not ask for confirmation", action="store_true")],
        ),
    ]


def run_check(args: argparse.Namespace) -> None:
    """Print the verdict on a file, and exit with its exit code."""
    from airflow.configuration import conf

    from airflow_provider_instagram.exceptions import InstagramError
    from airflow_provider_instagram.media.check import UNUSABLE, check
    from airflow_provider_instagram.media.spec import profile_for

    try:
        verdict = check(args.file, profile_for(args.placement), ffprobe=conf.get("instagram", "ffprobe"))
    except InstagramError as error:
        print(error, file=sys.stderr)
        raise SystemExit(UNUSABLE) from None
    print("\n".join(verdict.lines))
    raise SystemExit(verdict.exit_code)


def run_sandbox(args: argparse.Namespace) -> None:
    """Run the sandbox until it is interrupted.

    :raises SystemExit: Always, with the sandbox's exit code; 2 if it is not installed.
    """
    try:
        from instagram_sandbox.__main__ import run
    except ModuleNotFoundError:
        print(SANDBOX_MISSING, file=sys.stderr)
        raise SystemExit(2) from None

    raise SystemExit(run(args))


def calendar_commands() -> GroupCommand:
    """Return the commands about calendars."""
    return GroupCommand(
        name="calendar",
        help="Check, show, import and export content calendars",
        subcommands=[
            ActionCommand(
                name="check",
                help="List everything that is wrong with a calendar",
                description="Exit codes: 0, no faults; 1, some posts are faulty; 2, the file cannot be read.",
                func=lazy_load_command(f"{_CALENDAR}.check_calendar"),
                args=[
                    ARG_FILE,
                    Arg(("--min-spacing",), help="the smallest distance of two posts, such as '15 min'"),
                    Arg(("--allow-past",), help="accept times in the past", action="store_true"),
                    Arg(("--skip-files",), help="do not check that the videos exist", action="store_true"),
                ],
            ),
            ActionCommand(
                name="show",
                help="Show a month of a calendar in your time zone",
                func=lazy_load_command(f"{_CALENDAR}.show_calendar"),
                args=[
                    ARG_FILE,
                    Arg(("--month",), help="such as 2026-12 (default: the month of the next post)"),
                    ARG_TIMEZONE,
                ],
            ),
            ActionCommand(
                name="import",
                help="Convert a spreadsheet's CSV export into a calendar",
                func=lazy_load_command(f"{_CALENDAR}.import_calendar"),
                args=[
                    Arg(("file",), help="the CSV export"),
                    ARG_OUTPUT_FILE,
                    ARG_TIMEZONE,
                    Arg(("--account",), help="the connection for posts without an account"),
                    Arg(("--dates",), help="how to read dates such as 3/4/2027", choices=("day-first", "month-first")),
                ],
            ),
            ActionCommand(
                name="export",
                help="Export a calendar for other programs",
                func=lazy_load_command(f"{_CALENDAR}.export_calendar"),
                args=[ARG_FILE, Arg(("--ics",), help="as iCalendar", action="store_true"), ARG_OUTPUT_FILE],
            ),
        ],
    )


def _pools_command() -> ActionCommand:
    """Return the command that creates the pools of the accounts."""
    return ActionCommand(
        name="pools",
        help="Create the pool of each account",
        description="A pool has one slot, or as many as the account has posts due within half a minute of each other.",
        func=lazy_load_command(f"{_CALENDAR}.make_pools"),
        args=[Arg(("files",), nargs="*", help="calendars (default: all connections of the type instagram)")],
    )
