"""``airflow instagram check``: whether a video or a picture meets Instagram's requirements."""

from __future__ import annotations

import argparse
import sys

from airflow.configuration import conf

from airflow_provider_instagram.accounts.connections import read_as_server
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.files.storage import as_local_file
from airflow_provider_instagram.media.read import UNUSABLE, check
from airflow_provider_instagram.media.spec import profile_for
from airflow_provider_instagram.utils.locations import shown


def check_video(args: argparse.Namespace) -> None:
    """Print the verdict on a video or a picture, and exit with its exit code."""
    read_as_server()
    try:
        with as_local_file(args.file) as path:
            verdict = check(path, profile_for(args.placement), ffprobe=conf.get("instagram", "ffprobe"))
    except InstagramError as error:
        print(error, file=sys.stderr)
        raise SystemExit(UNUSABLE) from None
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        why = f"{type(error).__name__}: {shown(str(error))}"
        print(
            f"{shown(args.file)} cannot be opened: {why}. Check the path, its rights and its connection.",
            file=sys.stderr,
        )
        raise SystemExit(UNUSABLE) from None
    for line in verdict.lines:
        print(line.replace(str(path), shown(args.file)))  # not the path of a copy that has gone
    raise SystemExit(verdict.exit_code)
