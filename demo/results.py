"""A database with what the posts of some accounts reached, as ``insights_dag`` writes it, for the page's results."""

from __future__ import annotations

import json
import os
import random
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS, ages_of
from airflow_provider_instagram.insights.targets import SqlTarget
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAYS: Final = 84
#: Meta's words for each kind, and how much more it reaches than others.
KINDS: Final = {
    PostKind.REEL: ("VIDEO", "REELS", 1.7),
    PostKind.PICTURE: ("IMAGE", "FEED", 1.0),
    PostKind.STORY: ("VIDEO", "STORY", 0.8),
}


def results_settings(
    folder: Path, accounts: Sequence[str], captions: Sequence[str], seed: int = 1
) -> dict[str, str]:
    """Fill a database with two posts a day of each account, and return Airflow's settings for it."""
    connection = json.dumps({"conn_type": "sqlite", "host": str(folder / "warehouse.db")})
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = connection
    chance, now = random.Random(seed), datetime.now(timezone.utc)  # noqa: S311 -- no secret
    target = SqlTarget("warehouse")
    target.prepare()
    posts, snapshots = list[dict[str, Any]](), list[dict[str, Any]]()
    for number in range(2 * DAYS * len(accounts)):
        kind = chance.choice([*KINDS, PostKind.REEL])
        media_type, product, factor = KINDS[kind]
        at = (now - timedelta(days=1 + number % DAYS)).replace(
            hour=chance.choice([8, 12, 18, 21]), minute=30
        )
        origin = {"post_id": f"1790000000{number:07}", "conn_id": accounts[number % len(accounts)]}
        reach = chance.lognormvariate(7.5, 0.4) * factor
        about = {
            "media_type": media_type,
            "media_product_type": product,
            "is_story": kind is PostKind.STORY,
        }
        post = {
            "post_caption": chance.choice(captions),
            "created_timestamp": at,
            "post_url": "https://www.instagram.com/",
        }
        posts.append({**origin, **about, **post})
        for place, age in enumerate(ages_of(kind), 1):
            if at + age.after < now:
                row = {
                    "age": age.name,
                    "age_seconds": int(age.after.total_seconds()),
                    "status": "read",
                }
                numbers = {
                    f"{kind.value}_reach": int(reach * place / 3),
                    f"{kind.value}_views": int(reach * place / 2),
                }
                times = {
                    "due_timestamp": at + age.after,
                    "snapshot_timestamp": at + age.after + timedelta(minutes=12),
                }
                snapshots.append({**origin, **row, **times, **numbers})
    target.write(POSTS, posts)
    target.write(SNAPSHOTS, snapshots)
    return {
        "AIRFLOW_CONN_WAREHOUSE": connection,
        "AIRFLOW__INSTAGRAM__INSIGHTS_TARGET": "warehouse",
    }
