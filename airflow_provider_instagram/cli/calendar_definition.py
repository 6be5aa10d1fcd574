"""What ``airflow instagram calendar`` and ``airflow instagram pools`` take."""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

_COMMANDS = "airflow_provider_instagram.cli.calendar"

ARG_FILE = Arg(("file",), help="the calendar: a path or a URI, ending in .yaml, .json or .csv")
ARG_OUTPUT = Arg(("--output",), help="the file to write (default: the terminal)")
ARG_TIMEZONE = Arg(("--timezone",), help="a zone of the tz database, such as Europe/Berlin")


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
                func=lazy_load_command(f"{_COMMANDS}.check_calendar"),
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
                func=lazy_load_command(f"{_COMMANDS}.show_calendar"),
                args=[
                    ARG_FILE,
                    Arg(("--month",), help="such as 2026-12 (default: the month of the next post)"),
                    ARG_TIMEZONE,
                ],
            ),
            ActionCommand(
                name="import",
                help="Convert a spreadsheet's CSV export into a calendar",
                func=lazy_load_command(f"{_COMMANDS}.import_calendar"),
                args=[
                    Arg(("file",), help="the CSV export"),
                    ARG_OUTPUT,
                    ARG_TIMEZONE,
                    Arg(("--account",), help="the connection for posts without an account"),
                    Arg(("--dates",), help="how to read dates such as 3/4/2027", choices=("day-first", "month-first")),
                ],
            ),
            ActionCommand(
                name="export",
                help="Export a calendar for other programs",
                func=lazy_load_command(f"{_COMMANDS}.export_calendar"),
                args=[ARG_FILE, Arg(("--ics",), help="as iCalendar", action="store_true"), ARG_OUTPUT],
            ),
        ],
    )


def pools_command() -> ActionCommand:
    """Return the command that creates the pools of the accounts."""
    return ActionCommand(
        name="pools",
        help="Create the pool of each account",
        description="A pool has one slot, or as many as the account has posts due within half a minute of each other.",
        func=lazy_load_command(f"{_COMMANDS}.make_pools"),
        args=[Arg(("files",), nargs="*", help="calendars (default: all connections of the type instagram)")],
    )
