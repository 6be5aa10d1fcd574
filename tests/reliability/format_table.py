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
#: Subcodes of a container that say that a fetch failed.
FETCHES: Final = (2207003, 2207052)
#: Subcodes that come with code -1, Instagram's own failure: an answer with it is a reason to ask again.
SERVER_ERRORS: Final = (2207001, 2207032, 2207053)
EXPIRED: Final = 2207020
#: Where a request to create has an effect that no record names: one container more than needed is the price.
LOST: Final = "TransientError"


def format_disturbances(of_a_reel: Sequence[Disturbance]) -> Iterator[Disturbance]:
    """Yield the disturbances of every other format.

    :param of_a_reel: The disturbances of a reel.
    """
    of_a_reel = [one for one in of_a_reel if not one.comment]
    for one in of_a_reel:
        picture = replace(one, media="picture", uploads=0)
        if _fails(one):
            yield from _refused_picture(picture)
        elif not one.when.startswith("upload") and not _is_at(one, "upload"):
            yield picture
    for one in of_a_reel:
        yield replace(one, media="story", injections=tuple(map(_of_a_story, one.injections)))
    for one in of_a_reel:
        yield from _of_a_carousel(one)
    yield from _each_call_of_a_carousel()
    yield from _each_row_of_a_carousel()
    yield from _of_a_page(of_a_reel)


def _is_at(disturbance: Disturbance, operation: str) -> bool:
    return any(getattr(one, "operation", getattr(one, "call", None)) == operation for one in disturbance.injections)


def _fails(disturbance: Disturbance) -> bool:
    """Return whether what is posted fails: Instagram does not take it, or cannot fetch it."""
    fates = (one for one in disturbance.injections if isinstance(one, ContainerOutcome))
    return any(fate.processing["outcome"] != "finished" for fate in fates)


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
    elif _fails(one):  # the first item, which is a picture
        yield from _refused_picture(replace(carousel, uploads=1))
    elif one.what == "EXPIRED":
        yield replace(carousel, children=2 * ITEMS)
    else:
        yield carousel


def _refused_picture(one: Disturbance) -> Iterator[Disturbance]:
    """Yield the failure of a reel as one of a picture: Instagram fetches it while it creates it, and creates none.

    What may be a failed fetch is fetched again by the next try, after a pause. What is refused may be replaced where it
    lies: the next round fetches it again, too.
    """
    (fate,) = (injection for injection in one.injections if isinstance(injection, ContainerOutcome))
    subcode = fate.processing.get("subcode")
    if one.when != "container" or subcode == EXPIRED:  # a picture has no time to expire
        return
    refused = replace(one, when="create of a picture", containers=1, create_waits=True)
    if one.remedy == "none exists":
        yield replace(refused, remedy="another file behind the link")
    else:
        first = "TransientError" if subcode in SERVER_ERRORS else "MediaNotFetchedError"
        yield replace(refused, first=first, remedy="nothing")


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
