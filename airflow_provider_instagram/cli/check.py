"""``airflow instagram check``: whether a video meets Instagram's requirements."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow.configuration import conf

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.media.check import UNUSABLE, check
from airflow_provider_instagram.media.spec import profile_for

if TYPE_CHECKING:
    import argparse


def check_video(args: argparse.Namespace) -> None:
    """Print the verdict on a video or a picture, and exit with its exit code."""
    try:
        verdict = check(args.file, profile_for(args.placement), ffprobe=conf.get("instagram", "ffprobe"))
    except InstagramError as error:
        print(error, file=sys.stderr)
        raise SystemExit(UNUSABLE) from None
    print("\n".join(verdict.lines))
    raise SystemExit(verdict.exit_code)
