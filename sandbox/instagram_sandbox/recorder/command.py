"""``instagram-sandbox record`` and ``instagram-sandbox compare``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from instagram_sandbox.http.server import bind, running, serve
from instagram_sandbox.options import port
from instagram_sandbox.recorder.journal import Writer, read
from instagram_sandbox.recorder.redaction import Redactor
from instagram_sandbox.simulator.addresses import INSTAGRAM, UPLOADS, origin
from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.simulator.sandbox import Settings
from instagram_sandbox.simulator.switches import mode_switches

DEFAULT_PORT: Final = 8078


def _origin(text: str) -> str:
    try:
        return origin(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add both commands to the sandbox's command."""
    commands = parser.add_subparsers(title="commands", metavar="{record,compare}")
    record = commands.add_parser(
        "record",
        help="record what a client and Instagram say to each other",
        description="Listen on this machine, forward each call to Instagram, and write it down without tokens, ids "
        "and texts.",
    )
    record.add_argument("journal", type=Path, help="file to write, which must not exist")
    record.add_argument(
        "--to",
        type=_origin,
        action="append",
        metavar="HOST",
        help=f"host to forward to; may be repeated (default: {INSTAGRAM} and {UPLOADS})",
    )
    record.add_argument(
        "--port", type=port, default=DEFAULT_PORT, help="port to listen on (default: %(default)s)"
    )
    record.add_argument(
        "--keep-texts",
        action="store_true",
        help="keep captions, comments and messages in the journal",
    )
    record.set_defaults(run=_record)
    compare = commands.add_parser(
        "compare",
        help="play a recording against the sandbox, and print where the answers differ",
        description="Play the calls of a recording against a sandbox of its own, and print a table of what differs in "
        "shape, codes, order and time.",
    )
    compare.add_argument("journal", type=Path, help="file that instagram-sandbox record wrote")
    compare.add_argument(
        "--strict", action="store_true", help="compare with the sandbox's strict mode"
    )
    compare.set_defaults(run=_compare)


def _record(args: argparse.Namespace) -> int:
    from instagram_sandbox.recorder.proxy import Proxy

    to = tuple(dict.fromkeys(args.to or [INSTAGRAM, UPLOADS]))
    if to == (UPLOADS,):
        return _stop("--to names the upload host alone. Name the host of the Graph API, too.")
    try:
        sock, address = bind("127.0.0.1", args.port)
    except OSError as error:
        return _stop(f"Cannot listen on port {args.port}: {error.strerror}. Choose another --port.")
    try:
        journal = Writer(args.journal)
    except OSError as error:
        sock.close()
        return _stop(f"Cannot create {args.journal}: {error.strerror}. Choose another file.")

    def ready() -> None:
        print(f"Recording {', '.join(to)} on {address.url}. Stop with Ctrl+C.", flush=True)

    proxy = Proxy(to, Redactor(keep_texts=args.keep_texts), journal)
    with suppress(KeyboardInterrupt):
        serve(proxy, sock, ready)
    print(f"{proxy.calls} calls are in {args.journal}. Read it before you give it to anybody.")
    return 0


def _compare(args: argparse.Namespace) -> int:
    import httpx  # which a sandbox that serves does without

    from instagram_sandbox.recorder.compare import Player, table

    try:
        calls = list(read(args.journal))
    except (OSError, ValueError) as error:
        return _stop(f"Cannot read the recording: {error}")
    with tempfile.TemporaryDirectory(prefix="instagram-sandbox-") as folder:
        settings = Settings(folder=Path(folder), switches=mode_switches(strict=args.strict))
        began = time.time()
        with running(settings, Clock(lambda: began)) as url:  # whose time is the recording's
            player = Player(url)
            try:
                found = list(player.differences(calls))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                return _stop(
                    f"Cannot read the recording: the sandbox does not take one of its calls ({error!r})"
                )
    print(table(found))
    print(
        f"\n{player.played} of {len(calls)} calls were played.",
        *player.skipped,
        sep="\n* ",
        file=sys.stderr,
    )
    return 1 if found else 0


def _stop(why: str) -> int:
    print(why, file=sys.stderr)
    return 2
