"""``airflow instagram …``: what a person does from a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

if TYPE_CHECKING:
    import argparse

    from airflow.cli.cli_config import CLICommand


def get_instagram_commands() -> list[CLICommand]:
    """Give Airflow the commands of this provider (key ``cli`` of the provider's metadata)."""
    return [
        GroupCommand(
            name="instagram",
            help="Publish videos to Instagram",
            subcommands=[
                ActionCommand(
                    name="sandbox",
                    help="Run a strict local Instagram to try DAGs against",
                    func=run_sandbox,
                    args=[SandboxOptions()],
                ),
            ],
        )
    ]


class SandboxOptions(Arg):
    """The options of the sandbox, which defines them itself."""

    def __init__(self) -> None:
        super().__init__(flags=("--host",))  # type: ignore[no-untyped-call]

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Add them all."""
        from airflow_provider_instagram.sandbox.options import add_arguments

        add_arguments(parser)


def run_sandbox(args: argparse.Namespace) -> None:
    """Run the sandbox until it is interrupted."""
    from airflow_provider_instagram.sandbox.__main__ import run

    raise SystemExit(run(args))
