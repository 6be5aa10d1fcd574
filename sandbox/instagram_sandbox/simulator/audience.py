"""People who follow an account: when they are online, what they like, and what they say. The switch seeds them.

Nothing but the numbers and the comments tells their hours and their tastes, so that a client has to
learn them.
"""

from __future__ import annotations

import math
import random
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from instagram_sandbox.simulator.state import Account, Post
    from instagram_sandbox.simulator.world import World

# after so many hours, a post reaches a third of those whom it reaches at first
FADES_H: Final = 6.0
WATCHED_H: Final = 72
PEAK_H: Final = 3.0
VIEWS_PER_COMMENT: Final = 120
MOST_COMMENTS: Final = 20
_SAID: Final = (
    "Love this!",
    "Where was that?",
    "More of this, please",
    "Saved for later",
    "Not my favourite",
    "Wow",
)


def is_on(world: World) -> bool:
    """Return whether accounts have an audience."""
    return world.switches.audience_seed is not None


def online(world: World, account_id: str, hour: int) -> float:
    """Return the share of the followers that is online in an hour of the day (UTC), from 0.1 to 1."""
    peaks = _random(world, account_id, "hours").sample(range(24), 2)
    near = min(min((hour - peak) % 24, (peak - hour) % 24) for peak in peaks)
    return 0.1 + 0.9 * math.exp(-((near / PEAK_H) ** 2))


def taste(world: World, post: Post) -> float:
    """Return how much the followers like a post for its hashtags and its length, from 0.4 to 2.2."""
    tags = re.findall(r"#(\w+)", post.caption.lower())
    liked = [_random(world, post.user_id, "tag", tag).uniform(0.6, 1.6) for tag in tags] or [0.9]
    return sum(liked) / len(liked) * _length(world, post)


def views(world: World, post: Post) -> int:
    """Return how often a post was viewed until now: each hour by those who are online, each hour by fewer."""
    age_h = min(WATCHED_H, max(0.0, (world.clock.now() - post.published_at) / 3600))
    start = datetime.fromtimestamp(post.published_at, timezone.utc).hour
    fading = 1 - math.exp(-1 / FADES_H)
    seen = sum(
        fading
        * math.exp(-hour / FADES_H)
        * online(world, post.user_id, (start + hour) % 24)
        * min(1.0, age_h - hour)
        for hour in range(math.ceil(age_h))
    )
    return int(world.accounts[post.user_id].audience * 2 * taste(world, post) * seen)


def comments_due(world: World, post: Post) -> list[tuple[str, str]]:
    """Return who has commented on a post until now, and what."""
    due = min(MOST_COMMENTS, views(world, post) // VIEWS_PER_COMMENT)
    voice = _random(world, post.user_id, "voices", post.caption)
    return [(f"follower_{voice.randrange(1000)}", voice.choice(_SAID)) for _ in range(due)]


def online_followers(world: World, account: Account, hour: int) -> int:
    """Return how many followers are online in an hour of the day. Source: Meta, User Insights, online_followers."""
    return round(account.audience * online(world, account.user_id, hour))


def _length(world: World, post: Post) -> float:
    """Return the share of the taste that is due to the seconds of a video, or the characters of another caption."""
    container = world.containers.get(post.container_id or "")
    facts = container.facts if container is not None else None
    is_video = facts is not None and facts.duration_ms > 0
    length = facts.duration_ms / 1000 if facts is not None and is_video else len(post.caption)
    best = _random(world, post.user_id, "length", str(is_video)).uniform(5, 60) * (
        1 if is_video else 10
    )
    return 0.7 + 0.7 * math.exp(-((math.log((length + 1) / best)) ** 2))


def _random(world: World, *of: str) -> random.Random:
    return random.Random("/".join((str(world.switches.audience_seed), *of)))  # noqa: S311 -- a taste, no secret
