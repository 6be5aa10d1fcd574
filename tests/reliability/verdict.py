"""Holds the end of a scenario against what was expected of it, and against the sandbox's truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.reliability.terms import Answer, Fate, FullQuota, Plant, Revocation, Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instagram_sandbox.testing.handle import SandboxHandle

CAPTION = "Exactly once"


@dataclass(slots=True)
class Played:
    """What Airflow says of a scenario that has been played.

    :param scenario: The scenario.
    :param first: The error of the first try that failed; ``Killed`` for one that ended without a word.
    :param last: The error that the job ended with; None for success.
    :param text: What that error says.
    :param told: Whether an error asked for Clear of create.
    :param result: What publish returned.
    :param events: How many asset events of a post there are.
    :param seen: The plants that whoever played it saw take place.
    """

    scenario: Scenario
    first: str | None = None
    last: str | None = None
    text: str = ""
    told: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)
    events: int = 0
    seen: set[Plant] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario.

    :param scenario: The scenario.
    :param deviations: How it differs from what was expected, in words.
    :param posts: How many posts there really are.
    :param first: The error of the first try that failed.
    :param last: The error that the job ended with.
    :param uploaded_again_bytes: Bytes that were sent a second time.
    """

    scenario: Scenario
    deviations: tuple[str, ...]
    posts: int
    first: str | None
    last: str | None
    uploaded_again_bytes: int


def judged(played: Played, sandbox: SandboxHandle, video_bytes: int) -> Outcome:
    """Compare."""
    scenario, expected, disturbance = played.scenario, played.scenario.expected, played.scenario.disturbance
    posts = [post for post in sandbox.posts if post.caption == CAPTION]
    containers = [container for container in sandbox.containers if container.caption == CAPTION]
    sent_bytes = sum(entry.received_bytes or 0 for entry in sandbox.journal("upload"))
    nulls = not disturbance.identified and scenario.then != "retry"  # only a job with that name has tries left
    compared: list[tuple[str, Any, Any]] = [
        ("posts", expected.posts, len(posts)),
        ("first failure", None if nulls else disturbance.first, played.first),
        ("end", expected.last, played.last),
        ("containers", expected.containers, len(containers)),
        ("bytes uploaded", expected.uploads * video_bytes, sent_bytes),
    ]
    if expected.told:
        compared.append(("asks for Clear of create", True, played.told or played.last is None))
    if posts and played.last is None:
        (post,) = posts[:1]
        read = not nulls and (disturbance.permalink or scenario.then != "retry")
        compared.append(("media id reported", None if nulls else post.media_id, played.result.get("media_id")))
        compared.append(("permalink reported", post.permalink if read else None, played.result.get("permalink")))
    compared.append(("events of posts", min(1, expected.posts), played.events))
    compared += [(f"happened: {plant}", True, _happened(plant, played, sandbox)) for plant in disturbance.plants]
    deviations = tuple(f"{name}: expected {want}, found {got}" for name, want, got in compared if want != got)
    if deviations and played.last is not None:
        deviations += (f"last error: {played.text}",)
    again_bytes = max(0, sent_bytes - video_bytes)
    return Outcome(scenario, deviations, len(posts), played.first, played.last, again_bytes)


def _happened(plant: Plant, played: Played, sandbox: SandboxHandle) -> bool:
    """Tell whether a disturbance really took place: seen by the sandbox, or by whoever brought it about."""
    journal = sandbox.journal
    if isinstance(plant, Answer):
        hits = [entry for entry in journal(plant.operation) if entry.fault]
        answers = [one for one in played.scenario.disturbance.plants if isinstance(one, Answer)]
        return len(hits) == sum(int(one.fault.get("times", 1)) for one in answers if one.operation == plant.operation)
    if isinstance(plant, Revocation):
        return plant in played.seen and any("190" in e.outcome or "NotAuth" in e.outcome for e in journal())
    if isinstance(plant, FullQuota):  # it was seen to be full: nothing was sent, or only after another look
        return len(journal("limit")) > 1 or (len(journal("limit")) == 1 and not journal("publish"))
    if isinstance(plant, Fate):
        made = sandbox.containers[0]
        if plant.processing.get("outcome") == "finished":  # it only takes longer
            return journal("publish")[0].at >= made.created_at.timestamp() + float(plant.processing["after_s"])
        return made.status_code not in ("FINISHED", "PUBLISHED")
    return plant in played.seen
