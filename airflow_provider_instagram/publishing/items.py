"""The media of a post, as its author names them: one video, one picture, or the items of a carousel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.kind import kind_of
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.publishing.options import (
    OPTIONS,
    BrokenLimit,
    ContainerOptions,
    broken_by_tags,
    raise_if_broken,
    user_tags,
)
from airflow_provider_instagram.publishing.sources import upload_mode
from airflow_provider_instagram.utils import arguments, locations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_instagram.graph.models import UserTag

#: The arguments that contain the media. A post has exactly one of them.
MEDIA: Final = (*map(str, ItemKind), str(PostKind.CAROUSEL))
# Source: Meta, IG User Media reference.
FEWEST_ITEMS: Final = 2
MOST_ITEMS: Final = 10
ITEM_FIELDS: Final = (*map(str, ItemKind), "alt_text", "user_tags")


@dataclass(frozen=True)
class MediaItem:
    """A video or a picture, and what belongs to it alone.

    :param location: A local path, a URI that ObjectStoragePath opens, or an https address.
    :param kind: What it is. None if its author did not write it.
    :param alt_text: A description of a picture.
    :param user_tags: The users that are tagged in it.
    """

    location: str
    kind: ItemKind | None = None
    alt_text: str | None = None
    user_tags: tuple[UserTag, ...] = ()

    @classmethod
    def parse(cls, value: Any) -> MediaItem:
        """Read an item of a carousel: a location, or a mapping with ``video`` or ``image``.

        :raises ValidationError: If it is neither.
        """
        if not isinstance(value, Mapping):
            return cls(arguments.required_text("an item of carousel", value))
        named = {name: value[name] for name in ItemKind if arguments.given(value.get(name)) is not None}
        unknown = sorted(str(name) for name in value if name not in ITEM_FIELDS)
        if len(named) != 1 or unknown:
            wrong = f"has an unknown key {unknown[0]!r}" if unknown else f"has {' and '.join(named) or 'no media'}"
            raise ValidationError(
                f"An item of carousel {wrong}.",
                hint="Write a location, or exactly one of video and image, with alt_text and user_tags if you like: "
                '{"image": "a.jpg", "alt_text": "A tree"}.',
            )
        ((item_kind, location),) = named.items()
        return cls(
            arguments.required_text(item_kind, location),
            item_kind,
            arguments.text("alt_text", value.get("alt_text")),
            user_tags("user_tags", value.get("user_tags")),
        )

    def with_kind(self) -> MediaItem:
        """Return the item with its kind: as written, or by its content if the file is local, or else by its name.

        :raises ValidationError: If the kind cannot be determined, or a local file cannot be read.
        """
        if self.kind is not None:
            return self
        if locations.is_local(self.location):
            return replace(self, kind=kind_of(locations.local_path(self.location)))
        if (kind := kind_by_name(self.location)) is not None:
            return replace(self, kind=kind)
        shown = locations.shown(self.location)
        raise ValidationError(
            f"The name of {shown} does not show whether it is a video or a picture.",
            hint='Write which it is: {"image": …} or {"video": …}.',
        )

    def broken_limits(self, number: int) -> Iterator[BrokenLimit]:
        """Yield each documented limit that an item of a carousel breaks.

        :param number: Its place in the carousel, from 1.
        """
        if self.kind is ItemKind.VIDEO:
            for name in ("alt_text", "user_tags"):
                if getattr(self, name):
                    message = f"Item {number} is a video, which takes no {name} in a carousel."
                    yield BrokenLimit("carousel", message, f"Remove {name} from it.")
            return
        for limit in broken_by_tags(self.user_tags, PostKind.PICTURE, "carousel"):
            yield replace(limit, message=f"Item {number}: {limit.message}")


@dataclass(frozen=True)
class PostMedia:
    """The media of a post.

    :param shows: What the post shows. None for the items of a carousel.
    :param items: The video, the picture, or the items of the carousel.
    """

    shows: ItemKind | None
    items: tuple[MediaItem, ...]

    @classmethod
    def parse(cls, *, video: Any = None, image: Any = None, carousel: Any = None) -> PostMedia:
        """Read the media that templates, run parameters and upstream tasks deliver.

        :raises ValidationError: If not exactly one of the three is set, or a value cannot be read.
        """
        media = {"video": video, "image": image, "carousel": carousel}
        chosen = [name for name, value in media.items() if arguments.given(value) is not None]
        if len(chosen) != 1:
            raise ValidationError(
                f"{' and '.join(chosen) + ' are set' if chosen else 'video is empty, and so are image and carousel'}.",
                hint="Set exactly one of video, image and carousel. If a template or an upstream task provides the "
                "value, check that it returns one.",
            )
        (name,) = chosen
        if name == PostKind.CAROUSEL:
            return cls(None, tuple(MediaItem.parse(one) for one in arguments.sequence(name, carousel)))
        kind = ItemKind(name)
        return cls(kind, (MediaItem(arguments.required_text(name, media[name]), kind),))

    def with_kinds(self) -> PostMedia:
        """Return the media with the kind of each item.

        :raises ValidationError: If a kind cannot be determined, or a local file cannot be read.
        """
        return replace(self, items=tuple(item.with_kind() for item in self.items))

    @property
    def has_video(self) -> bool:
        """Whether an item is a video, as far as the kinds are known."""
        return any(item.kind is ItemKind.VIDEO for item in self.items)

    def broken_limits(self) -> Iterator[BrokenLimit]:
        """Yield each documented limit that the number of items and the items break."""
        if self.shows is not None:
            return
        if not FEWEST_ITEMS <= len(self.items) <= MOST_ITEMS:
            message = f"The carousel has {len(self.items)} items."
            yield BrokenLimit("carousel", message, f"Use {FEWEST_ITEMS} to {MOST_ITEMS} items.")
        for number, item in enumerate(self.items, 1):
            yield from item.broken_limits(number)


def check_known(known: Mapping[str, Any]) -> None:
    """Check the media and the options of a post, and how they go together, as far as they are known.

    :param known: The arguments of CreateContainerOperator whose values are final, by their names.
    :raises ValidationError: If no value of the others makes the post valid.
    """
    unknown = [name for name in MEDIA if name not in known]
    named = {name: known[name] for name in MEDIA if arguments.given(known.get(name)) is not None}
    name, limits = unknown[0] if len(unknown) == 1 else None, []
    if named or not unknown:
        limits = list(PostMedia.parse(**named).broken_limits())
        (name,) = named
    options = ContainerOptions.parse(**{name: known[name] for name in OPTIONS if name in known})
    shows = None if name in (None, PostKind.CAROUSEL) else ItemKind(name)
    is_kind_known = name is not None and "placement" in known
    raise_if_broken([*limits, *(options.broken_limits(shows) if is_kind_known else options.broken_in_any_post())])
    if "upload" in known:
        upload_mode(known["upload"], has_video=shows is not ItemKind.PICTURE)
