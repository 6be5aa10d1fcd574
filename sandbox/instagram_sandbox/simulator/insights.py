"""Insights: which numbers a medium and an account have, and how they grow.

The numbers grow with the clock. A seed and the ids of the media decide how large they become.
Source: Meta, Instagram Media Insights and Instagram User Insights.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from instagram_sandbox.simulator import audience, comments
from instagram_sandbox.simulator.accounts import DAY_S
from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instagram_sandbox.simulator.scopes import Login
    from instagram_sandbox.simulator.state import Account, Post
    from instagram_sandbox.simulator.world import World

GROWTH_S: Final = 6 * 3600.0  # after this time, a post has about two thirds of its views
KEPT_S: Final = 2 * 365 * DAY_S
MIN_VIEWERS: Final = 5
WATCH_TIME_MS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Metric:
    """A number about a medium: Meta's words for it, and its share of the views."""

    title: str
    description: str
    share: float


METRICS: Final[dict[str, Metric]] = {
    "views": Metric("Views", "The number of times the media was viewed.", 1.0),
    "reach": Metric(
        "Accounts reached", "The number of unique accounts that viewed the media.", 0.8
    ),
    "likes": Metric("Likes", "The number of likes on the media.", 0.06),
    "comments": Metric("Comments", "The number of comments on the media.", 0.0),
    "saved": Metric("Saved", "The number of saves of the media.", 0.012),
    "shares": Metric("Shares", "The number of shares of the media.", 0.009),
    "reposts": Metric("Reposts", "The number of reposts of the media.", 0.002),
    "total_interactions": Metric(
        "Interactions", "Likes, saves, comments and shares, less those undone.", 0.0
    ),
    "follows": Metric(
        "Follows", "The number of accounts that began to follow from the media.", 0.003
    ),
    "profile_visits": Metric(
        "Profile visits", "The number of visits of the profile from the media.", 0.02
    ),
    "profile_activity": Metric(
        "Profile activity", "The number of actions on the profile after the media.", 0.004
    ),
    "navigation": Metric("Navigation", "The number of actions taken from the story.", 0.9),
    "replies": Metric("Replies", "The number of replies to the story.", 0.006),
    "link_clicks": Metric("Link clicks", "The number of taps on the links of the story.", 0.005),
    "total_views": Metric("Total views", "The number of views, with those of ads.", 0.0),
    "total_likes": Metric("Total likes", "The number of likes, with those of ads.", 0.0),
    "total_comments": Metric("Total comments", "The number of comments, with those of ads.", 0.0),
    "facebook_views": Metric("Facebook views", "The number of views on Facebook.", 0.1),
    "crossposted_views": Metric(
        "Crossposted views", "The number of views on Instagram and Facebook.", 0.0
    ),
    "ig_reels_avg_watch_time": Metric(
        "Average watch time", "The average time spent playing the reel, in ms.", 0.0
    ),
    "ig_reels_video_view_total_time": Metric(
        "Watch time", "The total time the reel was played, in ms.", 0.0
    ),
    "reels_skip_rate": Metric(
        "Skip rate", "The percentage of views that skipped in the first three seconds.", 0.0
    ),
}
_WITH_ADS: Final = ("total_views", "total_likes", "total_comments")
_EVERYWHERE: Final = ("views", "reach", "shares", "total_interactions", "reposts")
OF_FACEBOOK: Final = frozenset(
    {"total_views", "total_likes", "total_comments", "facebook_views", "crossposted_views"}
)
"""The metrics of Facebook Login alone. Source: Meta, Instagram API Updates, 2025-12-03 and 2026-04-22."""
BY_PRODUCT: Final[dict[str, tuple[str, ...]]] = {
    "FEED": (
        *_EVERYWHERE,
        "likes",
        "comments",
        "saved",
        "follows",
        "profile_visits",
        "profile_activity",
        *_WITH_ADS,
    ),
    "REELS": (
        *(*_EVERYWHERE, "likes", "comments", "saved"),
        *("ig_reels_avg_watch_time", "ig_reels_video_view_total_time", "reels_skip_rate"),
        *(*_WITH_ADS, "facebook_views", "crossposted_views"),
    ),
    "STORY": (
        *_EVERYWHERE,
        "follows",
        "profile_visits",
        "profile_activity",
        "navigation",
        "replies",
        "link_clicks",
    ),
}
"""The metrics that each kind of medium has."""

RETIRED: Final = frozenset(
    {
        "plays",
        "impressions",
        "video_views",
        "clips_replays_count",
        "ig_reels_aggregated_all_plays_count",
        "engagement",
    }
    | {
        "exits",
        "taps_forward",
        "taps_back",
        "carousel_album_engagement",
        "carousel_album_impressions",
    }
    | {"carousel_album_reach", "carousel_album_saved", "carousel_album_video_views"}
)
"""Metrics that Meta took away."""

OF_ACCOUNT: Final[dict[str, float]] = {
    "accounts_engaged": 0.05,
    "comments": 0.004,
    "follower_count": 0.002,
    "follows_and_unfollows": 0.003,
    "likes": 0.06,
    "profile_links_taps": 0.004,
    "profile_views": 0.03,
    "reach": 0.8,
    "replies": 0.002,
    "reposts": 0.002,
    "saves": 0.012,
    "shares": 0.009,
    "total_interactions": 0.085,
    "views": 1.0,
    "website_clicks": 0.003,
}
"""The metrics of an account, each with its share of the views of a day."""

AS_TIME_SERIES: Final = frozenset({"reach", "follower_count"})
"""The metrics of an account that come day by day; all others need ``metric_type=total_value``."""


def value(world: World, post: Post, metric: str) -> int:
    """Return a number about a post as it is now."""
    if metric in post.metrics:
        return post.metrics[metric]
    if metric == "comments":
        return len(comments.on_post(world, post.id))
    if metric == "total_interactions":
        parts = set(BY_PRODUCT[post.media_product_type]) & {"likes", "comments", "saved", "shares"}
        return sum(value(world, post, part) for part in parts)
    if metric in _WITH_ADS:
        return value(world, post, metric.removeprefix("total_")) * 6 // 5
    if metric == "crossposted_views":
        return value(world, post, "views") + value(world, post, "facebook_views")
    if metric in {"ig_reels_avg_watch_time", "reels_skip_rate"}:
        factor = spread(world, post.id, metric)
        return round(WATCH_TIME_MS * factor if metric == "ig_reels_avg_watch_time" else 30 * factor)
    views = _views(world, post)
    if metric == "ig_reels_video_view_total_time":
        return views * value(world, post, "ig_reels_avg_watch_time")
    return int(
        views
        * min(
            1.0,
            METRICS[metric].share * (1 if metric == "views" else spread(world, post.id, metric)),
        )
    )


def _views(world: World, post: Post) -> int:
    if "views" in post.metrics:
        return post.metrics["views"]
    if audience.is_on(world):
        return audience.views(world, post)
    age_s = max(0.0, world.clock.now() - post.published_at)
    most = world.accounts[post.user_id].audience * 2 * spread(world, post.id, "audience")
    return int(most * (1 - math.exp(-age_s / GROWTH_S)))


def spread(world: World, *of: str) -> float:
    """Return a number from 0.75 to 1.25 that is always the same for the same names and seed."""
    name = "/".join((str(world.switches.insights_seed), *of))
    return 0.75 + random.Random(name).random() / 2  # noqa: S311 -- a number to look at, no secret


def exist(world: World, post: Post) -> bool:
    """Return whether a post has numbers: it is neither too new nor older than two years."""
    age_s = world.clock.now() - post.published_at
    return bool(post.metrics) or world.switches.insights_after_s <= age_s < KEPT_S


def check_metrics(world: World, post: Post, asked: Iterable[str], login: Login) -> list[str]:
    """Return the metrics to answer.

    :raises GraphError: 100: one name is unknown, retired, of another kind of medium, or refused to
        the account. One bad name fails the whole request.
    """
    answered = []
    refused = world.accounts[post.user_id].refused_metrics
    for place, metric in enumerate(asked):
        if metric in RETIRED and world.switches.retired_metrics == "empty":
            continue
        if metric not in METRICS or (metric in OF_FACEBOOK and login == "instagram"):
            known = ", ".join(sorted(METRICS))
            raise invalid(f"metric[{place}] must be one of the following values: {known}")
        if metric not in BY_PRODUCT[post.media_product_type] or metric in refused:
            what = f"The Media Insights API does not support the {metric} metric for this media product type."
            raise invalid(what)
        answered.append(metric)
    return answered


def has_too_few_viewers(world: World, post: Post) -> bool:
    """Return whether a story was seen by fewer than five accounts, so that its numbers stay private."""
    return post.is_story and value(world, post, "reach") < MIN_VIEWERS


def of_account(world: World, account: Account, metric: str, day: int) -> int:
    """Return a number about an account on one day.

    :param day: The number of the day since 1970.
    """
    views = account.audience * spread(world, account.user_id, "day", str(day))
    return int(
        views * min(1.0, OF_ACCOUNT[metric] * spread(world, account.user_id, metric, str(day)))
    )
