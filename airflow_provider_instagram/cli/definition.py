"""The commands of ``airflow instagram``."""

from __future__ import annotations

import argparse
from typing import Any, Final, NoReturn

from airflow.cli.cli_config import (
    ARG_OUTPUT,
    ActionCommand,
    Arg,
    CLICommand,
    GroupCommand,
    lazy_load_command,
)

from airflow_provider_instagram.posts.kinds import PLACEMENTS, PostKind
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID, no_connection

ARG_CONN_ID = Arg(
    ("--conn-id",), help="the account's connection (default: %(default)s)", default=DEFAULT_CONN_ID
)
ARG_ACCOUNT = Arg(("conn_id",), help="the account's connection")
ARG_FILE = Arg(("file",), help="the calendar: a path or a URI, ending in .yaml, .json or .csv")
ARG_POST_KEY = Arg(("post_key",), help="the post_key of the post")
# Airflow prints help with rich, which takes the brackets of an extra for markup. So this names the
# folder itself.
MISSING: Final = "The sandbox is not installed. In a checkout of airflow-provider-instagram, run: pip install ./sandbox"


def _command(
    func: str, help_text: str, *args: Arg, description: str | None = None
) -> ActionCommand:
    """Return a command that reads connections as the server does, and ends with the message of an error.

    :param func: The function, as ``module.name`` in this room. It is imported when it runs. The
        first word of its name is that of the command.
    """
    run = lazy_load_command(f"airflow_provider_instagram.cli.{func}")

    def command(parsed: argparse.Namespace) -> None:
        from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

        from airflow_provider_instagram.accounts.connect import read_as_server
        from airflow_provider_instagram.exceptions import InstagramError
        from airflow_provider_instagram.hooks.instagram import has_connection
        from airflow_provider_instagram.ledger.database import NoLedgerError

        read_as_server()
        try:
            run(parsed)
        except (InstagramError, AirflowException) as error:
            conn_id = getattr(parsed, "conn_id", "")
            is_unknown = isinstance(error, AirflowNotFoundException) and f"`{conn_id}`" in str(
                error
            )
            if is_unknown or (isinstance(error, NoLedgerError) and not has_connection(conn_id)):
                raise SystemExit(no_connection(conn_id)) from None
            raise SystemExit(str(error)) from None
        except EOFError:
            raise SystemExit(
                "The command asks a question, and its input has ended. Run it in a terminal."
            ) from None

    name, _, _ = func.rpartition(".")[2].partition("_")
    # Airflow prints help with rich, for which [core] is markup
    said = help_text.replace("[", r"\[")
    more = f"{said}. {description}" if description else None
    return ActionCommand(name=name, help=said, func=command, args=args, description=more)


class ReportMissing(argparse.Action):
    """Ends the command while its options are read, because without the sandbox none of them is known."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print how to install the sandbox, and exit with 2."""
        parser.exit(2, f"{MISSING}\n")


def sandbox_options() -> list[Arg]:
    """Return the options of the sandbox. If it is not installed, return an argument that says so."""
    try:
        from instagram_sandbox.options import OPTIONS
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "instagram_sandbox":
            raise  # the sandbox is installed, but a package that it needs is missing
        return [Arg(("options",), nargs="*", action=ReportMissing, help=MISSING)]
    return [Arg((flag,), **settings) for flag, settings in OPTIONS.items()]


ACCOUNT_COMMANDS: Final = [
    _command(
        "accounts.connect",
        "Log in to an account and store its token in a connection",
        ARG_ACCOUNT,
        Arg(
            ("--login",),
            help="the login of a new connection (default: instagram)",
            choices=("instagram", "facebook", "unified"),
        ),
        Arg(
            ("--config-id",),
            help="the configuration of the login in your Meta app (Unified Login; Facebook Login, if it has one)",
            default="",
        ),
        Arg(
            ("--user-id",),
            help="the Instagram user id, if the login reaches several accounts",
            default="",
        ),
        Arg(
            ("--log-in-again",),
            help="Instagram Login: ask for the password, to connect another account than the browser's",
            action="store_true",
        ),
        Arg(
            ("--app-id",),
            help="Instagram Login: the Instagram app id; otherwise the app id of your Meta app",
        ),
        Arg(
            ("--redirect-uri",),
            help="default: the callback of the Instagram page, below Airflow's base_url",
        ),
        Arg(("--host",), help="the Graph host of a new connection, such as a sandbox", default=""),
        Arg(
            ("--scopes",),
            help="what to ask for beyond publishing, such as comments,insights (default: the connection's own)",
        ),
        description="Prints the URL of the login page. After the login, paste the URL that it ended at.",
    ),
    _command(
        "accounts.accounts",
        "List the accounts with their token's remaining days and quota",
        ARG_OUTPUT,
    ),
    _command("accounts.refresh", "Refresh the token of an account", ARG_ACCOUNT),
    _command(
        "accounts.audio",
        "Search for music for a reel's option audio_id",
        ARG_ACCOUNT,
        Arg(
            ("query",),
            help="words of the title or the artist (default: what is trending)",
            nargs="*",
        ),
        Arg(("--sounds",), help="the sounds of other reels instead of music", action="store_true"),
        ARG_OUTPUT,
    ),
    _command(
        "accounts.places",
        "Search for places for a post's option location_id",
        Arg(("query",), help="words of the name or the address", nargs="+"),
        ARG_CONN_ID,
        ARG_OUTPUT,
    ),
    _command(
        "doctor.doctor",
        "Check everything that publishing needs, and say how to fix it",
        ARG_ACCOUNT,
        ARG_OUTPUT,
        description="Exit codes: 0, no problem found; 1, something needs fixing.",
    ),
]
LEDGER_COMMANDS: Final = [
    _command(
        "accounts.list_posts",
        "List the posts of an account, and those with an unknown outcome",
        ARG_CONN_ID,
        ARG_OUTPUT,
    ),
    _command("accounts.show_post", "Show all ledger rows of a post", ARG_POST_KEY, ARG_CONN_ID),
    _command(
        "accounts.settle_post",
        "Record whether a post is live, if its outcome is unknown or a restored backup lacks it",
        ARG_POST_KEY,
        ARG_CONN_ID,
        Arg(("--live",), help="the post is live", action="store_true"),
        Arg(
            ("--not-live",),
            help="the post is not live and will not appear later",
            action="store_true",
        ),
        Arg(("--media-id",), help="with --live: its media id, if known"),
        Arg(
            ("--permalink",),
            help="with --live: its URL, if known; needed if the ledger lacks the post",
        ),
    ),
    _command(
        "accounts.forget_post",
        "Delete a post from the ledger, so that its key can be published again",
        ARG_POST_KEY,
        ARG_CONN_ID,
        Arg(("--yes",), help="do not ask for confirmation", action="store_true"),
    ),
    _command(
        "accounts.prune",
        "Delete old rows of containers and claims, of all accounts; what keeps posts from being made twice stays",
        Arg(("--days",), help="how old a row must be (default: %(default)s)", type=int, default=90),
    ),
    _command(
        "accounts.reseal",
        "Seal the rows of all accounts with the first key of [core] fernet_key, before an old key is removed",
        Arg(
            ("--trust",),
            help="also seal rows without a good seal if the key was lost or is new",
            action="store_true",
        ),
        Arg(("--yes",), help="with --trust: do not ask for confirmation", action="store_true"),
    ),
]
CALENDAR_COMMANDS: Final = [
    _command(
        "calendar.check_calendar",
        "List everything that is wrong with a calendar",
        ARG_FILE,
        Arg(
            ("--accounts",),
            help="the accounts that the DAG file names, separated by commas (default: any)",
        ),
        Arg(("--min-spacing",), help="the smallest distance between two posts, such as '15 min'"),
        Arg(("--allow-past",), help="accept times in the past", action="store_true"),
        Arg(("--skip-files",), help="do not check that the videos exist", action="store_true"),
        description="Exit codes: 0, no problems; 1, some posts have problems; 2, the file cannot be read.",
    ),
    _command(
        "calendar.fill_calendar",
        "Give each post without a time a slot, if you confirm",
        ARG_FILE,
        Arg(("--yes",), help="write without asking", action="store_true"),
        description="Exit codes: 0, each post has a time; 1, some have none, or you declined; 2, nothing was written.",
    ),
]


def get_instagram_commands() -> list[CLICommand]:
    """Return the commands of this provider (key ``cli`` of the provider's metadata)."""
    return [
        GroupCommand(
            name="instagram",
            help="Publish on Instagram",
            subcommands=[
                _command(
                    "check.check_video",
                    "Check whether a video or a picture meets Instagram's requirements",
                    Arg(
                        ("file",),
                        help="the video or picture: a path, an https URL, or a URI of object storage",
                    ),
                    Arg(
                        ("--placement",),
                        help="default: %(default)s",
                        default="reels",
                        choices=(*PLACEMENTS, PostKind.CAROUSEL.value),
                    ),
                    description="Exit codes: 0, it does; 1, it must be transcoded first; 2, it cannot be used.",
                ),
                _command(
                    "definition.sandbox",
                    "Run a local Instagram to test DAGs against",
                    *sandbox_options(),
                ),
                *ACCOUNT_COMMANDS,
                GroupCommand(
                    name="ledger",
                    help="Show and correct the record of an account's posts",
                    subcommands=LEDGER_COMMANDS,
                ),
                GroupCommand(
                    name="calendar",
                    help="Check, fill and import content calendars",
                    subcommands=CALENDAR_COMMANDS,
                ),
            ],
        )
    ]


def sandbox(args: argparse.Namespace) -> None:
    """Run the sandbox until it is interrupted, and exit with its exit code."""
    from instagram_sandbox.__main__ import run

    raise SystemExit(run(args))
