"""A video or a picture of a post, and how the values of a post become Meta's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.fields import (
    About,
    UserTag,
    as_objects,
    declared,
    read_alt_text,
    read_user_tags,
)
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.utils import arguments

#: Meta's parameters of a container.
Parameters: TypeAlias = dict[str, Any]
Tags = Annotated[tuple[UserTag, ...], Field(max_length=20)]


class Item(BaseModel):
    """A video or a picture, and what belongs to it alone.

    :param location: A local path, a URI that ObjectStoragePath opens, or an https address.
    :param kind: What it is. None if its author did not write it.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    location: str
    kind: ItemKind | None = None
    alt_text: Annotated[
        str | None,
        About("A description of the picture.", read_alt_text, "Write a text.", sent_as="alt_text"),
    ] = None
    user_tags: Annotated[
        Tags,
        About(
            "Users to tag in the picture, each with a place.",
            read_user_tags,
            "Write [{username: jane.doe, x: 0.5, y: 0.4}].",
            sent_as="user_tags",
            sent=as_objects,
        ),
    ] = ()

    @classmethod
    def read(cls, value: Any) -> Item:
        """Read an item of a carousel: a location, or a mapping with ``video`` or ``image``."""
        if not isinstance(value, Mapping):
            return cls(location=arguments.required_text("an item of carousel", value))
        own = declared(cls)
        named = {
            name: value[name] for name in ItemKind if arguments.given(value.get(name)) is not None
        }
        unknown = sorted(str(name) for name in value if name not in (*ItemKind, *own))
        if len(named) != 1 or unknown:
            wrong = f"has {' and '.join(named) or 'no media'}"
            if unknown:
                wrong = f"has an unknown key {unknown[0]!r}"
            raise ValidationError(
                f"An item of carousel {wrong}.",
                hint="Write a location, or exactly one of video and image, with alt_text and user_tags if you like: "
                '{"image": "a.jpg", "alt_text": "A tree"}.',
            )
        ((kind, location),) = named.items()
        more = {name: about.read(name, value.get(name)) for name, about in own.items()}
        return cls(location=arguments.required_text(kind, location), kind=kind, **more)

    def parameters(self) -> Parameters:
        """Return Meta's parameters of its container in a carousel, without those of its media."""
        media_type = {"media_type": "VIDEO"} if self.kind is ItemKind.VIDEO else {}
        return {**media_type, "is_carousel_item": True, **sent(self)}


def read_items(name: str, value: Any) -> tuple[Item, ...]:
    """Read the items of a carousel."""
    return tuple(Item.read(one) for one in arguments.sequence(name, value))


def sent(model: BaseModel) -> Parameters:
    """Return the values that are set, by Meta's names. Several fields may be parts of one parameter."""
    parameters: Parameters = {}
    for name, about in declared(type(model)).items():
        value = getattr(model, name)
        if about.sent_as and value != type(model).model_fields[name].default:
            part = about.sent(value)
            known = parameters.get(about.sent_as)
            parameters[about.sent_as] = part if known is None else {**known, **part}
    return parameters
