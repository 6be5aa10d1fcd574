"""The sandbox's command-line options, and its documented default account."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, Final

DEFAULT_USER_ID = "17841400000000001"
DEFAULT_USERNAME = "sandbox_studio"
DEFAULT_TOKEN = "IGAAsandboxStudioLongLivedToken00000000000000"  # noqa: S105 -- documented, opens a sandbox only
DEFAULT_APP_ID = "990000000000001"
DEFAULT_APP_SECRET = "sandbox-app-secret"  # noqa: S105 -- documented, opens a sandbox only
DEFAULT_PORT = 8077
MAX_PORT = 65_535
TOKEN_VARIABLE = "INSTAGRAM_SANDBOX_TOKEN"  # noqa: S105 -- a name
SECRET_VARIABLE = "INSTAGRAM_SANDBOX_APP_SECRET"  # noqa: S105 -- a name


def _host_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid host name: give it without a scheme or port"
        )
    return text.lower()


def port(text: str) -> int:
    """Read a port of the command line."""
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid port: use 0 to {MAX_PORT}")
    return int(text)


#: What the command takes: each option, and what argparse knows about it.
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "--host": {"default": "127.0.0.1", "help": "address to listen on (default: %(default)s)"},
    "--allow-host": {
        "type": _host_name,
        "action": "append",
        "default": [],
        "metavar": "NAME",
        "help": "host name by which clients call the sandbox, such as a Compose service; may be repeated",
    },
    "--port": {
        "type": port,
        "default": DEFAULT_PORT,
        "help": "port to listen on, or 0 for any free port (default: %(default)s)",
    },
    "--tls": {
        "action": "store_true",
        "help": "answer over https, and print the path of the authority to trust (needs instagram-sandbox[tls])",
    },
    "--port-file": {"type": Path, "help": "file to write the port to once the sandbox is ready"},
    "--state": {
        "type": Path,
        "metavar": "DIR",
        "help": "folder to keep all state in for the next start",
    },
    "--account": {
        "default": DEFAULT_USER_ID,
        "help": "Instagram user id of the first account (default: %(default)s)",
    },
    "--username": {
        "default": DEFAULT_USERNAME,
        "help": "username of the first account (default: %(default)s)",
    },
    "--token": {
        "default": None,
        "help": f"long-lived access token; preferably set {TOKEN_VARIABLE} instead (default: {DEFAULT_TOKEN})",
    },
    "--app-id": {"default": DEFAULT_APP_ID, "help": "Meta app id (default: %(default)s)"},
    "--app-secret": {
        "default": None,
        "help": f"Meta app secret; preferably set {SECRET_VARIABLE} instead (default: {DEFAULT_APP_SECRET})",
    },
    "--strict": {
        "action": "store_true",
        "help": "answer open questions harshly; by default, as Meta documents or clients observe",
    },
    "--processing-time": {
        "type": float,
        "default": 5.0,
        "metavar": "SECONDS",
        "help": "how long a container of a video stays IN_PROGRESS (default: %(default)s, also with --strict)",
    },
    "--visible-after": {
        "type": float,
        "default": None,
        "metavar": "SECONDS",
        "help": "delay until a new post shows on its container and in the media list, 0 to 120"
        " (default: 0, with --strict 10)",
    },
    "--new-ids-unknown": {
        "type": float,
        "default": None,
        "metavar": "SECONDS",
        "help": "how long a new container or post cannot be found by its id, 0 to 600 (default: 0, with --strict 2)",
    },
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sandbox's options to a command."""
    for flag, settings in OPTIONS.items():
        parser.add_argument(flag, **settings)
