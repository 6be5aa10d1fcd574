"""What is disturbed when, and which posts are due around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.calendars.fate import Due
from tests.calendars.running_calendar import DAG_ID
from tests.cluster.cluster import GROUPS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

#: What a post shows, by name. Instagram fetches all but the first by link.
MEDIA: Mapping[str, Mapping[str, Any]] = {
    "reel": {"video": "reel.mp4"},
    "picture": {"image": "still.jpg"},
    "carousel": {"carousel": ["still.jpg", "detail.jpg"]},
    "link": {"video": "reel.mp4", "upload": "url"},
}
ACCOUNTS = ("account_a", "account_b", "account_c")
#: Its first upload is cut in the middle; nothing else is due on it.
CUT_ACCOUNT = "account_d"
LEAD_S = 60
UNDISTURBED = "none"
PAUSED = "paused"
#: Whom S3 refuses: requests whose head contains this text.
REFUSED = {"meta": "facebookexternalhit", "everybody": ""}
#: What moves while approved posts wait.
MOVED = ("calendar", "plan", "dag")
#: By how much a clock is wrong.
SKEW_S = 90
CUT = "upload cut"
EDITED = "edited in the answer"
#: What has posts in a DAG of its own.
OWN_DAG = ("create", "answer", "fill", "move")
#: What disturbs workers that have work of their own.
OWN_WORK = ("fill", "stall", "busy")
#: Under these, no task may give the limit of an account or a slow storage as its reason.
BLAMELESS = ("stall", "busy", "move")
#: How many posts are answered while S3 refuses.
ANSWERED = 6
#: Between the end of a disturbance and the beginning of the next one.
RECOVERY_S = 60


@dataclass(frozen=True)
class Disturbance:
    """Something that happens to a component.

    :param what: ``kill`` ends one process of the component at once, and it is started again some seconds later;
        ``freeze`` halts all its processes for a while, and ``stop`` ends them and starts them again after that.
        ``skew`` starts the component's processes with clocks that are wrong by ``SKEW_S``, in turn slow and fast, and
        stops the scheduler for half of the time, so that posts are late. ``refuse`` makes S3 answer 503. ``create``
        makes a new DAG, and its first run is to begin in the meantime. ``answer`` has a person approve posts while S3
        answers 503. ``fill`` takes all slots of the workers, and the first post of a calendar is edited and its second
        one removed. ``stall`` halts the tasks of the workers once one has begun to reserve its place. ``busy``
        leaves the workers a share of a processor. ``move`` has posts approved, and then moves what publishes them.
    :param component: A key of ``GROUPS``. For ``refuse``, whom S3 refuses: a key of ``REFUSED``. For ``create``, what
        keeps the DAG from its first run: ``scheduler`` is away, or the DAG is ``paused``. For ``move``, what is moved:
        the ``calendar`` to another folder, its ``plan`` away, or the ``dag`` to another name.
    :param seconds: How long it lasts.
    """

    what: str
    component: str
    seconds: int

    def __str__(self) -> str:
        return f"{self.what} {self.component}" + (f" {self.seconds} s" if self.what != "kill" else "")

    @property
    def name(self) -> str:
        """What its posts, and its DAG, are named after."""
        return str(self).replace(" ", "-")

    @property
    def dag_id(self) -> str:
        """The DAG of its posts."""
        return self.name if self.what in OWN_DAG else DAG_ID

    @property
    def max_lateness_s(self) -> int | None:
        """How late its posts may be published: None as by default, and for a paused DAG, less than the pause."""
        return self.seconds * 85 // 100 if self.component == PAUSED else None

    @property
    def lasts_s(self) -> float:
        """How long no other disturbance may begin. A paused or moved DAG disturbs no other."""
        if self.component == PAUSED or self.what == "move":
            return 0.0
        return self.due[-1][0] + (4 * RECOVERY_S if self.what == "create" else RECOVERY_S)

    @property
    def due(self) -> tuple[tuple[float, str], ...]:
        """When its posts are due, from its beginning, and what they show: during it, and right after it."""
        if self.what == "refuse":  # the containers of most posts are made, a lead time ahead, while S3 refuses
            shares = (-0.25, 0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 1.05)
            after_s = [LEAD_S + self.seconds * share for share in shares]
            return tuple(zip(after_s, [*MEDIA] * 2, strict=True))
        return tuple((after_s, "reel") for after_s in self._due_after_s)

    @property
    def _due_after_s(self) -> tuple[float, ...]:
        if self.what == "kill":
            return (2.0, 6.0, 12.0)
        if self.component == PAUSED:  # the last one is due on time, after the pause
            return (*(self.seconds * share for share in (0.05, 0.1, 0.85, 0.95)), self.seconds + 45.0)
        if self.what == "create":  # a post is due a lead time after its run begins
            return (LEAD_S + 10.0, LEAD_S + 30.0, self.seconds - 30.0, self.seconds + 20.0, self.seconds + 70.0)
        if self.what == "answer":  # a question and the retries of its answer take minutes
            return tuple(self.seconds + 300.0 + 5.0 * number for number in range(ANSWERED))
        if self.what == "fill":
            return tuple(self.seconds + 120.0 + 5.0 * number for number in range(3))
        if self.what == "move":  # to ask, to answer and to read the new place takes minutes
            return tuple(self.seconds + 5.0 * number for number in range(3))
        if self.what == "busy":
            return tuple(self.seconds * share for share in (0.4, 0.6, 0.8, 1.0))
        if self.what == "skew":  # the scheduler is away from a quarter on to three quarters
            return tuple(self.seconds * share for share in (0.12, 0.17, 0.22, 0.27, 0.35, 0.45, 0.6, 0.9))
        return (3.0, self.seconds / 2, self.seconds + 5.0)

    def is_beyond(self, after_s: float) -> bool:
        """Return whether a post is too late once the DAG is no longer paused."""
        return self.max_lateness_s is not None and self.seconds - after_s > self.max_lateness_s


def killed(component: str) -> Disturbance:
    """Return the kill of a component, which is back after three seconds."""
    return Disturbance("kill", component, 3)


FULL = (
    *(killed(component) for component in GROUPS),
    *(Disturbance("freeze", component, 30) for component in GROUPS),
    *(Disturbance("stop", component, seconds) for seconds in (30, 120, 300) for component in GROUPS),
)
SHORT = (killed("worker"), Disturbance("stop", "scheduler", 30))
#: A paused DAG's times are a fifth of those in a release's check, which adds ``--disturb "create paused 1200"``.
OUTAGES = (
    *(Disturbance("refuse", whom, 120) for whom in REFUSED),
    Disturbance("create", PAUSED, 240),
    Disturbance("create", "scheduler", 180),
    Disturbance("skew", "worker", 240),
    Disturbance("answer", "s3", 70),
    Disturbance("fill", "worker", 60),
    Disturbance("stall", "worker", 33),
    Disturbance("busy", "worker", 100),
    *(Disturbance("move", what, 240) for what in MOVED),
)


def parsed(text: str) -> Disturbance:
    """Read a disturbance from a text such as ``kill redis`` or ``stop api-server 120``."""
    what, component, *seconds = text.split()
    some: dict[str, Collection[str]] = {"refuse": REFUSED, "create": (PAUSED, "scheduler"), "answer": ("s3",)}
    some |= {"fill": ("worker",), "stall": ("worker",), "busy": ("worker",), "move": MOVED}
    components = some.get(what, GROUPS)
    if what not in ("kill", "freeze", "stop", "skew", *some) or component not in components:
        possible = ", ".join(components)
        raise ValueError(f"{text!r}: use kill, freeze, stop, skew, {', '.join(some)}, and one of {possible}.")
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
    def asked(self) -> tuple[Due, Due]:
        """The two posts that need an approval: one as it is, and one whose caption is edited in the answer."""
        quiet = [post for post in self.posts if post.around == UNDISTURBED]
        return quiet[-2], quiet[-1]

    @property
    def dag_ids(self) -> list[str]:
        """The DAGs of the posts."""
        return sorted({post.dag_id for post in self.posts})

    def of_dag(self, dag_id: str) -> list[Due]:
        """Return the posts of a DAG."""
        return [post for post in self.posts if post.dag_id == dag_id]

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
        begin += timedelta(seconds=disturbance.lasts_s)
    quiet = [
        Due(f"quiet-{number:02}", first + timedelta(seconds=number * spacing_s), _account(number), UNDISTURBED)
        for number in range(quiet_posts)
    ]
    quiet[-1] = replace(quiet[-1], edited_caption=EDITED)
    cut = Due("cut", first + timedelta(seconds=quiet_s / 2), CUT_ACCOUNT, CUT)
    posts = sorted((*quiet, cut, *_around(starts)), key=lambda post: post.at)
    return Programme(tuple(posts), tuple(starts))


def _around(starts: Sequence[tuple[datetime, Disturbance]]) -> Iterator[Due]:
    for begin, disturbance in starts:
        for number, (after_s, shows) in enumerate(disturbance.due):
            at = (begin + timedelta(seconds=after_s)).replace(microsecond=0)
            post_id = f"{disturbance.name}-{number}"
            due = Due(
                post_id,
                at,
                _account(number),
                str(disturbance),
                disturbance.dag_id,
                shows,
                disturbance.is_beyond(after_s),
            )
            yield _changed(due, number) if disturbance.what == "fill" else due


def _changed(due: Due, number: int) -> Due:
    """Return what must become of a post: the first one is edited, and the second one removed."""
    if number == 0:
        return replace(due, edited_caption=f"{due.post_id}, edited in the file")
    return replace(due, is_removed=number == 1)


def _account(number: int) -> str:
    return ACCOUNTS[number % len(ACCOUNTS)]
