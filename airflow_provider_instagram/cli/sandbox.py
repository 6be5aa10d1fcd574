"""``airflow instagram sandbox``: run the sandbox, which is a distribution of its own and lists its options itself."""

from __future__ import annotations

import argparse
from typing import Any, Final, NoReturn

from airflow.cli.cli_config import Arg

# Airflow prints help with rich, which takes the brackets of an extra for markup. So this names the folder itself.
MISSING: Final = "The sandbox is not installed. In a checkout of airflow-provider-instagram, run: pip install ./sandbox"


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


def run_sandbox(args: argparse.Namespace) -> None:
    """Run the sandbox until it is interrupted, and exit with its exit code."""
    from instagram_sandbox.__main__ import run

    raise SystemExit(run(args))
