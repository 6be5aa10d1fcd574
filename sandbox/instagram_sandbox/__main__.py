"""``instagram-sandbox``: a local Instagram to test clients against."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sqlite3
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from instagram_sandbox.http.app import create_app
from instagram_sandbox.http.server import bind, serve
from instagram_sandbox.options import (
    DEFAULT_APP_SECRET,
    DEFAULT_TOKEN,
    SECRET_VARIABLE,
    TOKEN_VARIABLE,
    add_arguments,
)
from instagram_sandbox.recorder.command import add_commands
from instagram_sandbox.simulator.addresses import is_loopback
from instagram_sandbox.simulator.media import NO_FFMPEG, has_ffmpeg
from instagram_sandbox.simulator.sandbox import Settings
from instagram_sandbox.simulator.state import Account, Processing
from instagram_sandbox.simulator.switches import mode_switches


def run(args: argparse.Namespace) -> int:
    """Run the sandbox that the options describe.

    :return: The exit code: 0 after a normal end, 2 if the sandbox could not start.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    # so that the temporary folder is removed, too
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="instagram-sandbox-") as temporary:
            return _run(args, Path(temporary))
    except ValidationError as error:
        first = error.errors()[0]
        print(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def _run(args: argparse.Namespace, temporary: Path) -> int:
    settings = _settings(args, temporary)
    try:
        sock, address = bind(args.host, args.port)
    except OSError as error:
        what = f"The sandbox cannot listen on {args.host}:{args.port}: {error.strerror}."
        print(f"{what} Choose another --port, or --port 0 for any free port.", file=sys.stderr)
        return 2

    if not is_loopback(str(sock.getsockname()[0])):
        who = f"Warning: the sandbox listens on {args.host}, so everybody who can reach it can read and control it."
        print(
            f"{who} To listen on this machine only, use --host 127.0.0.1, the default.",
            file=sys.stderr,
        )

    tls = None
    if args.tls:
        try:
            from instagram_sandbox.http.tls import certificate
        except ImportError:
            missing = "--tls needs the package trustme: pip install 'instagram-sandbox[tls]'"
            print(missing, file=sys.stderr)
            return 2
        settings.folder.mkdir(parents=True, exist_ok=True)
        tls = certificate(settings.folder, settings.allowed_hosts)
        address = replace(address, scheme="https")

    if not has_ffmpeg():
        print(f"Warning: {NO_FFMPEG}", file=sys.stderr)

    def ready() -> None:
        if tls is not None:
            print(f"Trust its authority: {tls.authority}")
        print(f"Instagram sandbox on {address.url}", flush=True)
        if args.port_file is not None:
            _write(args.port_file, str(address.port))

    try:
        serve(create_app(settings), sock, ready, tls)
    except (sqlite3.DatabaseError, OSError) as error:
        what = f"The sandbox cannot use the folder {settings.folder}: {error}."
        print(f"{what} If another sandbox uses it, choose another --state folder.", file=sys.stderr)
        return 2
    return 0


def _settings(args: argparse.Namespace, temporary: Path) -> Settings:
    account = Account(user_id=args.account, username=args.username)
    return Settings(
        folder=args.state or temporary,
        user_id=account.user_id,
        username=account.username,
        token=args.token
        if args.token is not None
        else os.environ.get(TOKEN_VARIABLE) or DEFAULT_TOKEN,
        app_id=args.app_id,
        app_secret=args.app_secret or os.environ.get(SECRET_VARIABLE) or DEFAULT_APP_SECRET,
        switches=mode_switches(
            strict=args.strict,
            processing=Processing(after_s=args.processing_time),
            visible_after_s=args.visible_after,
            fresh_id_unknown_s=args.new_ids_unknown,
        ),
        allowed_hosts=(args.host.lower(), *args.allow_host),
    )


def _write(path: Path, text: str) -> None:
    """Write a file in one step, so that a process that waits for it never reads half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def command() -> argparse.ArgumentParser:
    """Return the parser of ``instagram-sandbox``, with its commands."""
    parser = argparse.ArgumentParser(
        prog="instagram-sandbox",
        description="Run a local Instagram to test clients of Meta's publishing API against.",
    )
    add_arguments(parser)
    add_commands(parser)
    parser.set_defaults(run=run)
    return parser


def main() -> int:
    """Run the sandbox, or one of its commands, as the command line says."""
    args = command().parse_args()
    return int(args.run(args))


if __name__ == "__main__":
    sys.exit(main())
