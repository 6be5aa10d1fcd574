"""What ``airflow instagram calendar`` and ``airflow instagram pools`` take."""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

_COMMANDS = "airflow_provider_instagram.calendar.commands"

ARG_FILE = Arg(("file",), help="the calendar: a path or a URI, ending in .yaml, .json or .csv")
ARG_OUTPUT = Arg(("--output",), help="the file to write (default: the terminal)")
ARG_TIMEZONE = Arg(("--timezone",), help="a zone of the tz database, such as Europe/Berlin")


def calendar_commands() -> GroupCommand:
    """Give the commands about calendars."""
    return GroupCommand(
        name="calendar",
        help="Check, show, import and export content calendars",
        subcommands=[
            ActionCommand(
                name="check",
                help="Name everything that is wrong with a calendar",
                description="Exit code 0: nothing; 1: some posts are faulty; 2: the file cannot be read.",
                func=lazy_load_command(f"{_COMMANDS}.check_calendar"),
                args=[
                    ARG_FILE,
                    Arg(("--min-spacing",), help="the smallest distance of two posts, such as '15 min'"),
                    Arg(("--allow-past",), help="times that are over are no fault", action="store_true"),
                    Arg(("--skip-files",), help="do not look for the videos", action="store_true"),
                ],
            ),
            ActionCommand(
                name="show",
                help="Draw a month of a calendar, in your time zone",
                func=lazy_load_command(f"{_COMMANDS}.show_calendar"),
                args=[ARG_FILE, Arg(("--month",), help="such as 2026-12 (default: of the next post)"), ARG_TIMEZONE],
            ),
            ActionCommand(
                name="import",
                help="Make a calendar of a spreadsheet's CSV export",
                func=lazy_load_command(f"{_COMMANDS}.import_calendar"),
                args=[
                    Arg(("file",), help="the CSV export"),
                    ARG_OUTPUT,
                    ARG_TIMEZONE,
                    Arg(("--account",), help="the connection of posts that name none"),
                    Arg(("--dates",), help="how 3/4/2027 is meant", choices=("day-first", "month-first")),
                ],
            ),
            ActionCommand(
                name="export",
                help="Write a calendar for other programs",
                func=lazy_load_command(f"{_COMMANDS}.export_calendar"),
                args=[ARG_FILE, Arg(("--ics",), help="as iCalendar", action="store_true"), ARG_OUTPUT],
            ),
        ],
    )


def pools_command() -> ActionCommand:
    """Give the command that makes the pools of the accounts."""
    return ActionCommand(
        name="pools",
        help="Make the pool of publishers of each account",
        description="An account has one publisher, or as many as its calendars have posts due within half a minute.",
        func=lazy_load_command(f"{_COMMANDS}.make_pools"),
        args=[Arg(("files",), nargs="*", help="calendars (default: all connections of the type instagram)")],
    )
