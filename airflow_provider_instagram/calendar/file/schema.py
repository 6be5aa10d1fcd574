"""A JSON Schema of a calendar's file, with which an editor completes and checks a calendar while it is typed.

It accepts what a calendar accepts, but for words in capitals (``Reels``). It knows no files,
accounts and clocks.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.model import (
    CALENDAR_FIELDS,
    CalendarPost,
    WrittenPost,
)
from airflow_provider_instagram.calendar.file.names import SETTINGS
from airflow_provider_instagram.calendar.file.reader import SCHEMA
from airflow_provider_instagram.calendar.file.slots import EXAMPLE, MAX_SLOTS, SLOT
from airflow_provider_instagram.posts.fields import STORY, declared
from airflow_provider_instagram.posts.item import Item
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.posts.limits import FEWEST_ITEMS, MOST_ITEMS, not_taken
from airflow_provider_instagram.posts.post import MEDIA, kind_in
from airflow_provider_instagram.utils.arguments import NO, YES

if TYPE_CHECKING:
    from pydantic import BaseModel

#: A text as YAML reads it. A number, such as an id, needs no quotation marks. No value means that a
#: field is not set.
TEXT: Final = {"type": ["string", "number", "null"]}
#: What is the same in a schema of a value and in that of its text.
LIMITS: Final[tuple[str, ...]] = ("minimum", "maximum", "maxItems", "pattern", "examples")
IS_STORY: Final = {
    "properties": {"placement": {"const": PostKind.STORY}},
    "required": ["placement"],
}


def calendar_schema() -> dict[str, Any]:
    """Return the schema."""
    fields = _fields(WrittenPost) | _fields(CalendarPost)
    fields["carousel"]["anyOf"][0] |= {
        "items": _item(),
        "minItems": FEWEST_ITEMS,
        "maxItems": MOST_ITEMS,
    }
    defaults = {name: field for name, field in fields.items() if CALENDAR_FIELDS[name].has_default}
    post = {
        "title": "Post",
        **_object(fields),
        "required": ["id"],
        "allOf": [
            *map(_rule_of_media, MEDIA),
            {"if": IS_STORY, "then": _without(STORY, PostKind.STORY, {})},
        ],
    }
    slots = {
        "type": "array",
        "items": {"type": "string", **_pattern(EXAMPLE, SLOT)},
        "maxItems": MAX_SLOTS,
    }
    forms: dict[str, Any] = {
        "defaults": {**_object(defaults), "type": ["object", "null"]},
        "min_spacing": TEXT,
        "slots": {
            "type": ["object", "null"],
            "additionalProperties": {"anyOf": [slots, {"type": "string"}]},
        },
        "posts": {"type": ["array", "null"], "items": post},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Content calendar",
        "description": "Posts that airflow-provider-instagram publishes on schedule.",
        **_object(
            {name: {"description": says, **forms[name]} for name, says in SETTINGS.items()}
            | {SCHEMA: TEXT}
        ),
        "required": ["posts"],
    }


def schema_text() -> str:
    """Return the schema as the text of a file."""
    return json.dumps(calendar_schema(), indent=1, ensure_ascii=False) + "\n"


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _rule_of_media(name: str) -> dict[str, Any]:
    """Return what a post with one of the media does not take: the other media, and fields of other kinds."""
    others = {other: f"Keep {name} or {other}." for other in MEDIA if other != name}
    return {
        "if": {"required": [name]},
        "then": _without(CALENDAR_FIELDS[name].kinds, kind_in({name: True}), others),
    }


def _without(kinds: frozenset[PostKind], kind: PostKind, others: dict[str, str]) -> dict[str, Any]:
    """Return the rule that fields which none of the kinds takes are not set, each with what to do instead."""
    of_others = {name: about for name, about in CALENDAR_FIELDS.items() if not about.kinds & kinds}
    said = {name: str(not_taken(name, about, kind)) for name, about in of_others.items()} | others
    return {
        "properties": {
            name: {"enum": [None, "", []], "errorMessage": text} for name, text in said.items()
        }
    }


def _fields(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    schema = model.model_json_schema()
    fields = {}
    for name, about in declared(model).items():
        written = _as_written(schema["properties"][name], schema.get("$defs", {}))
        message = {"errorMessage": about.remedy} if about.remedy else {}
        branches = (
            {"anyOf": [{**message, **branch} for branch in written["anyOf"]]}
            if "anyOf" in written
            else message
        )
        fields[name] = {"title": name, "description": about.says, **written, **branches}
    return fields


def _item() -> dict[str, Any]:
    media = {str(kind): {**TEXT, "description": CALENDAR_FIELDS[kind].says} for kind in ItemKind}
    either = {"oneOf": [{"required": [kind]} for kind in media]}
    return {"anyOf": [TEXT, {**_object(media | _fields(Item)), **either}]}


def _as_written(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value as its author writes it: each value may be text, and a list may be one text."""
    schema = next((one for one in schema.get("anyOf", ()) if one["type"] != "null"), schema)
    limits = {name: schema[name] for name in LIMITS if name in schema}
    if "enum" in schema:
        return {"enum": schema["enum"]}
    if schema["type"] == "boolean":
        return {
            "anyOf": [
                {"type": ["boolean", "null"]},
                {**TEXT, "pattern": f"^({'|'.join(YES + NO)})$"},
            ]
        }
    if schema["type"] == "integer":
        return {"type": ["integer", "string", "null"], "pattern": "^[0-9]+$", **limits}
    if schema["type"] == "array":
        of = schema["items"].get("anyOf", [schema["items"]])
        tags = [
            [*definitions[one["$ref"].rpartition("/")[2]]["properties"]]
            for one in of
            if "$ref" in one
        ]
        # The place of a tag of a user may be left out.
        objects = [{**_object(dict.fromkeys(names, TEXT)), "required": names[:1]} for names in tags]
        return {"anyOf": [{"type": "array", "items": {"anyOf": [TEXT, *objects]}, **limits}, TEXT]}
    return {**TEXT, **limits}


def _pattern(message: str, expression: re.Pattern[str]) -> dict[str, str]:
    """Return an expression as a schema has it: JavaScript has another form of named groups."""
    return {
        "pattern": f"^{re.sub(r'[?]P<[a-z]+>', '', expression.pattern)}$",
        "errorMessage": message,
    }
