"""The disturbances of pictures, stories and carousels: those of a reel that apply to them, and those of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.reliability.scenario import (
    ITEMS,
    ApiFault,
    ContainerOutcome,
    Disturbance,
    ProcessKill,
    RefusedRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.reliability.scenario import Injection, Side

#: The first try of create waits for the items of a carousel itself, in its own seconds.
ITEM_WAITS: Final = "never ready"
#: Subcodes of a container that say that a fetch failed, and those that may also say it of media that are fetched.
FETCHES: Final = (2207003, 2207052)
MAYBE_FETCHES: Final = (2207076, 2207077, 2207082, 2207085, 1363008)
#: Where a request to create has an effect that no record names: one container more than needed is the price.
LOST: Final = "TransientError"


def format_disturbances(of_a_reel: Sequence[Disturbance]) -> Iterator[Disturbance]:
    """Yield the disturbances of every other format.

    :param of_a_reel: The disturbances of a reel.
    """
    of_a_reel = [one for one in of_a_reel if not one.comment]
    for one in of_a_reel:
        if not one.when.startswith("upload") and not _is_at(one, "upload"):
            yield _by_link(replace(one, media="picture", uploads=0))
    for one in of_a_reel:
        yield replace(one, media="story", injections=tuple(map(_of_a_story, one.injections)))
    for one in of_a_reel:
        yield from _of_a_carousel(one)
    yield from _each_call_of_a_carousel()
    yield from _each_row_of_a_carousel()
    yield from _of_a_page(of_a_reel)


def _is_at(disturbance: Disturbance, operation: str) -> bool:
    return any(getattr(one, "operation", getattr(one, "call", None)) == operation for one in disturbance.injections)


def _of_a_page(of_a_reel: Sequence[Disturbance]) -> Iterator[Disturbance]:
    """Yield each kill for the reels that only Facebook Login can post. Answers are the same as those of a reel."""
    for one in of_a_reel:
        if all(isinstance(injection, ProcessKill) for injection in one.injections):
            yield replace(one, media="music")
            yield replace(one, media="poll")


def _of_a_story(injection: Injection) -> Injection:
    """Return an injection where a story's post is looked for: among the stories."""
    if isinstance(injection, ApiFault) and injection.operation == "media_list":
        return replace(injection, operation="stories")
    return injection


def _of_a_carousel(one: Disturbance) -> Iterator[Disturbance]:
    """Yield what a disturbance of a reel does to a carousel, if it can happen to one."""
    if one.what == ITEM_WAITS or one.when.startswith("ledger write of create"):
        return  # the rows of a carousel's containers have a table of their own
    carousel = replace(one, media="carousel", children=ITEMS)
    if one.when.startswith("create"):  # at the first call, which makes an item
        lost = one.containers - 1
        yield replace(carousel, containers=1, children=ITEMS + lost)
    elif any(isinstance(injection, ContainerOutcome) for injection in one.injections):
        if one.when == "container":  # create waits for the items in any case
            yield from _failed_item(carousel)
    elif one.what == "EXPIRED":
        yield replace(carousel, children=2 * ITEMS)
    else:
        yield carousel


def _failed_item(carousel: Disturbance) -> Iterator[Disturbance]:
    """Yield the failure of the first item, a picture: create replaces it, or ends before there is a whole."""
    if carousel.remedy == "none exists":
        yield _by_link(replace(carousel, containers=0))
    else:
        healed = replace(carousel, first=None, remedy="nothing", containers=1, children=ITEMS + 1, uploads=1)
        yield _by_link(healed)


def _by_link(one: Disturbance) -> Disturbance:
    """Return a disturbance of a reel, which is sent as bytes, as one of a picture, which Instagram fetches.

    What may be a failed fetch is fetched again by the next try, after a pause. What is refused may be replaced where it
    lies: the next round fetches it again, too.
    """
    fate = next((injection for injection in one.injections if isinstance(injection, ContainerOutcome)), None)
    if fate is None:
        return one
    if one.remedy == "none exists":
        return replace(one, remedy="another file behind the link")
    may_be_a_fetch = fate.processing.get("subcode") in (None, *FETCHES, *MAYBE_FETCHES)
    if one.fails_in_create and may_be_a_fetch and "never" not in fate.processing:
        return replace(one, first="MediaNotFetchedError")
    return one


def _each_call_of_a_carousel() -> Iterator[Disturbance]:
    """Yield a kill and a lost answer at each of the four calls that create containers."""
    for nth in range(1, ITEMS + 2):
        which = f"of item {nth}" if nth <= ITEMS else "of the whole"
        sides: tuple[Side, Side] = ("before", "after")
        for side in sides:
            lost = int(side == "after")
            containers, children = (1, ITEMS + lost) if nth <= ITEMS else (1 + lost, ITEMS)
            ways: tuple[tuple[str, Injection, str], ...] = (
                ("connection dropped", ApiFault("create", {"drop": side, "nth": nth}), LOST),
                ("HTTP 500", ApiFault("create", {"status": 500, "when": side, "nth": nth}), LOST),
                ("killed", ProcessKill(side, call="create", nth=nth), "Killed"),
            )
            for what, injection, first in ways:
                yield Disturbance(
                    f"create {which}, {side} the effect",
                    what,
                    (injection,),
                    first,
                    containers=containers,
                    media="carousel",
                    children=children,
                )


def _each_row_of_a_carousel() -> Iterator[Disturbance]:
    """Yield a kill at each row of a container, and a store that does not take it."""
    for nth in range(1, ITEMS + 2):
        is_item = nth <= ITEMS
        which = f"of item {nth}" if is_item else "of the whole"
        rows: tuple[tuple[str, Side, int], ...] = (
            ("container", "before", nth),
            ("container", "after", nth),
            ("children" if is_item else "containers", "before", nth if is_item else 1),
            ("children" if is_item else "containers", "after", nth if is_item else 1),
        )
        for row, side, count in rows:
            lost = int((row, side) not in (("children", "after"), ("containers", "after")))
            yield Disturbance(
                f"ledger write of create {which}, {side} it ({row})",
                "killed",
                (ProcessKill(side, row=row, nth=count),),
                "Killed",
                containers=1 if is_item else 1 + lost,
                media="carousel",
                children=ITEMS + lost if is_item else ITEMS,
            )
        yield Disturbance(
            f"ledger write of create {which} (container)",
            "refused",
            (RefusedRow("container", nth),),
            "RuntimeError",
            containers=1 if is_item else 2,
            media="carousel",
            children=ITEMS + 1 if is_item else ITEMS,
        )
