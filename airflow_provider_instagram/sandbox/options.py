"""The sandbox's command-line options, and the documented account it opens when nothing else is asked for."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

DEFAULT_USER_ID = "17841400000000001"
DEFAULT_USERNAME = "sandbox_studio"
DEFAULT_TOKEN = "IGAAsandboxStudioLongLivedToken00000000000000"  # noqa: S105 -- documented, opens a sandbox only
DEFAULT_APP_ID = "990000000000001"
DEFAULT_APP_SECRET = "sandbox-app-secret"  # noqa: S105 -- documented, opens a sandbox only
DEFAULT_PORT, MAX_PORT = 8077, 65_535
TOKEN_VARIABLE = "INSTAGRAM_SANDBOX_TOKEN"  # noqa: S105 -- a name
SECRET_VARIABLE = "INSTAGRAM_SANDBOX_APP_SECRET"  # noqa: S105 -- a name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sandbox's options to a command."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--allow-host",
        type=_host_name,
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which the sandbox is called, a service of a compose file for example; may be repeated",
    )
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--port-file", type=Path, help="file to write the port to, once the sandbox answers")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keep everything in this folder, for the next start")
    parser.add_argument("--account", default=DEFAULT_USER_ID, help="Instagram user id (default: %(default)s)")
    parser.add_argument("--username", default=DEFAULT_USERNAME, help="name of the account (default: %(default)s)")
    parser.add_argument(
        "--token",
        default=None,
        help=f"long-lived access token; better in the environment, as {TOKEN_VARIABLE} (default: {DEFAULT_TOKEN})",
    )
    parser.add_argument("--app-id", default=DEFAULT_APP_ID, help="Meta app id (default: %(default)s)")
    parser.add_argument(
        "--app-secret",
        default=None,
        help=f"Meta app secret; better in the environment, as {SECRET_VARIABLE} (default: {DEFAULT_APP_SECRET})",
    )
    parser.add_argument(
        "--processing-time",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="time in IN_PROGRESS (default: %(default)s)",
    )
    parser.add_argument(
        "--visible-after",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="time until a publish shows on the container and in the media list, 0 to 120 (default: %(default)s)",
    )
    parser.add_argument(
        "--new-ids-unknown",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="time in which a new container or post is not found by its id, 0 to 600 (default: %(default)s)",
    )


def _host_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a host name: give it without scheme and port")
    return text.lower()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to {MAX_PORT}")
    return int(text)
