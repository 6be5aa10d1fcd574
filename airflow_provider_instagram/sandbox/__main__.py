"""``python -m airflow_provider_instagram.sandbox``: a local Instagram for publishing DAGs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from pathlib import Path

from pydantic import ValidationError

from airflow_provider_instagram.sandbox.app import Settings
from airflow_provider_instagram.sandbox.server import bind, serve
from airflow_provider_instagram.sandbox.state import (
    DEFAULT_APP_ID,
    DEFAULT_APP_SECRET,
    DEFAULT_TOKEN,
    DEFAULT_USER_ID,
    DEFAULT_USERNAME,
    Account,
    Processing,
    Switches,
)

DEFAULT_PORT = 8077
TOKEN_VARIABLE = "INSTAGRAM_SANDBOX_TOKEN"  # noqa: S105 -- a name
SECRET_VARIABLE = "INSTAGRAM_SANDBOX_APP_SECRET"  # noqa: S105 -- a name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sandbox's options to a command."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
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


def run(args: argparse.Namespace) -> int:
    """Run the sandbox that the options describe.

    :param args: What :func:`add_arguments` reads.
    :return: The exit code: 0 after a normal end, 2 when it could not start.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    try:
        with tempfile.TemporaryDirectory(prefix="instagram-sandbox-") as temporary:
            return _run(args, Path(temporary))
    except ValidationError as error:
        first = error.errors()[0]
        print(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 0


def _run(args: argparse.Namespace, temporary: Path) -> int:
    settings = _settings(args, temporary)
    try:
        sock, address = bind(args.host, args.port)
    except OSError as error:
        what = f"The sandbox cannot listen on {args.host}:{args.port}: {error.strerror}."
        print(f"{what} Choose another --port, or 0 for a free one.", file=sys.stderr)  # noqa: T201
        return 2

    def ready() -> None:
        print(f"Instagram sandbox on {address.url}", flush=True)  # noqa: T201
        if args.port_file is not None:
            _write(args.port_file, str(address.port))

    serve(settings, sock, ready)
    return 0


def _settings(args: argparse.Namespace, temporary: Path) -> Settings:
    account = Account(user_id=args.account, username=args.username)
    return Settings(
        folder=args.state or temporary,
        keep=args.state is not None,
        user_id=account.user_id,
        username=account.username,
        token=args.token or os.environ.get(TOKEN_VARIABLE) or DEFAULT_TOKEN,
        app_id=args.app_id,
        app_secret=args.app_secret or os.environ.get(SECRET_VARIABLE) or DEFAULT_APP_SECRET,
        switches=Switches(processing=Processing(after_s=args.processing_time), visible_after_s=args.visible_after),
    )


def _write(path: Path, text: str) -> None:
    """Write a file in one step, so that who waits for it never reads half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_instagram.sandbox", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
