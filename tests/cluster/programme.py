"""What is disturbed when, and which posts are due around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.cluster.cluster import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ACCOUNTS = ("account_a", "account_b", "account_c")
#: Its first upload is cut in the middle; nothing else is due on it.
CUT_ACCOUNT = "account_d"
LEAD_S = 60
UNDISTURBED = "none"
CUT = "upload cut"
#: Between the end of a disturbance and the beginning of the next one.
RECOVERY_S = 60


@dataclass(frozen=True)
class Disturbance:
    """Something that happens to a component.

    :param what: ``kill`` ends one process of the component at once, and it is started again some seconds later;
        ``freeze`` halts all its processes for a while, and ``stop`` ends them and starts them again after that.
    :param component: A key of ``GROUPS``.
    :param seconds: How long it lasts.
    """

    what: str
    component: str
    seconds: int

    def __str__(self) -> str:
        return f"{self.what} {self.component}" + (f" {self.seconds} s" if self.what != "kill" else "")

    @property
    def due_after_s(self) -> tuple[float, ...]:
        """When posts are due, from its beginning: during it, and right after it."""
        if self.what == "kill":
            return (2.0, 6.0, 12.0)
        return (3.0, self.seconds / 2, self.seconds + 5.0)


@dataclass(frozen=True)
class Due:
    """A post of the programme.

    :param post_id: Its id, which is its caption, too.
    :param at: When it is due.
    :param account: Its connection.
    :param around: The disturbance that it is due around.
    """

    post_id: str
    at: datetime
    account: str
    around: str


def killed(component: str) -> Disturbance:
    """Return the kill of a component, which is back after three seconds."""
    return Disturbance("kill", component, 3)


FULL = (
    *(killed(component) for component in GROUPS),
    *(Disturbance("freeze", component, 30) for component in GROUPS),
    *(Disturbance("stop", component, seconds) for seconds in (30, 120, 300) for component in GROUPS),
)
SHORT = (killed("worker"), Disturbance("stop", "scheduler", 30))


def parsed(text: str) -> Disturbance:
    """Read a disturbance from a text such as ``kill redis`` or ``stop api-server 120``."""
    what, component, *seconds = text.split()
    if what not in ("kill", "freeze", "stop") or component not in GROUPS:
        raise ValueError(f"{text!r}: use kill, freeze or stop, and one of {', '.join(GROUPS)}.")
    return killed(component) if what == "kill" else Disturbance(what, component, int(seconds[0]))


@dataclass(frozen=True)
class Programme:
    """Everything that is to happen.

    :param posts: The posts, in the order in which they are due.
    :param disturbances: When each disturbance begins.
    """

    posts: tuple[Due, ...]
    disturbances: tuple[tuple[datetime, Disturbance], ...]

    @property
    def asked(self) -> tuple[str, str]:
        """The two posts that need an approval: one as it is, and one whose caption is edited in the answer."""
        quiet = [post.post_id for post in self.posts if post.around == UNDISTURBED]
        return quiet[-2], quiet[-1]

    @property
    def end(self) -> datetime:
        """When everything has happened."""
        return max(post.at for post in self.posts)


def programme(first: datetime, quiet_posts: int, spacing_s: float, disturbances: Sequence[Disturbance]) -> Programme:
    """Return the posts and the disturbances with their times.

    :param first: When the first post is due.
    :param quiet_posts: How many posts nothing disturbs.
    :param spacing_s: Seconds between two of these.
    :param disturbances: What happens after these.
    """
    quiet_s = quiet_posts * spacing_s
    begin = first + timedelta(seconds=quiet_s + RECOVERY_S / 4)
    starts = []
    for disturbance in disturbances:
        starts.append((begin, disturbance))
        begin += timedelta(seconds=disturbance.due_after_s[-1] + RECOVERY_S)
    quiet = [
        Due(f"quiet-{number:02}", first + timedelta(seconds=number * spacing_s), _account(number), UNDISTURBED)
        for number in range(quiet_posts)
    ]
    cut = Due("cut", first + timedelta(seconds=quiet_s / 2), CUT_ACCOUNT, CUT)
    posts = sorted((*quiet, cut, *_around(starts)), key=lambda post: post.at)
    return Programme(tuple(posts), tuple(starts))


def _around(starts: Sequence[tuple[datetime, Disturbance]]) -> Iterator[Due]:
    for begin, disturbance in starts:
        for number, after_s in enumerate(disturbance.due_after_s):
            post_id = f"{str(disturbance).replace(' ', '-')}-{number}"
            yield Due(post_id, begin + timedelta(seconds=after_s), _account(number), str(disturbance))


def _account(number: int) -> str:
    return ACCOUNTS[number % len(ACCOUNTS)]
