"""A JSON Schema of a calendar's file, with which an editor completes and checks a calendar while it is typed.

It accepts what a calendar accepts, but for words in capitals (``Reels``). It checks neither files,
accounts and times nor which fields go together.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_instagram.calendar.file.model import (
    CALENDAR_FIELDS,
    SETTINGS,
    CalendarPost,
    WrittenPost,
)
from airflow_provider_instagram.calendar.file.reader import SCHEMA
from airflow_provider_instagram.calendar.file.slots import MAX_SLOTS, SLOT
from airflow_provider_instagram.posts.fields import declared
from airflow_provider_instagram.posts.item import Item
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.posts.limits import FEWEST_ITEMS, MOST_ITEMS
from airflow_provider_instagram.utils.arguments import NO, YES

if TYPE_CHECKING:
    from pydantic import BaseModel

#: A JSON Schema, or the properties of one.
Schema: TypeAlias = dict[str, Any]
#: A text as YAML reads it. A number, such as an id, needs no quotation marks. No value means that a
#: field is not set.
TEXT: Final = {"type": ["string", "number", "null"]}
#: What is the same in a schema of a value and in that of its text.
LIMITS: Final[tuple[str, ...]] = ("minimum", "maximum", "maxItems", "pattern", "examples")


def calendar_schema() -> Schema:
    """Return the schema."""
    fields = _fields(WrittenPost) | _fields(CalendarPost)
    fields["carousel"]["anyOf"][0] |= {
        "items": _item(),
        "minItems": FEWEST_ITEMS,
        "maxItems": MOST_ITEMS,
    }
    defaults = {name: field for name, field in fields.items() if CALENDAR_FIELDS[name].has_default}
    post = {"title": "Post", **_object(fields), "required": ["id"]}
    # JavaScript has another form of named groups
    slot = {"pattern": f"^{re.sub('[?]P<[a-z]+>', '', SLOT.pattern)}$"}
    slots = {"type": "array", "items": {"type": "string", **slot}, "maxItems": MAX_SLOTS}
    forms: Schema = {
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


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _fields(model: type[BaseModel]) -> dict[str, Schema]:
    schema = model.model_json_schema()
    fields = {}
    for name, about in declared(model).items():
        written = _as_written(schema["properties"][name], schema.get("$defs", {}))
        fields[name] = {"title": name, "description": about.says, **written}
    return fields


def _item() -> Schema:
    media = {str(kind): {**TEXT, "description": CALENDAR_FIELDS[kind].says} for kind in ItemKind}
    either = {"oneOf": [{"required": [kind]} for kind in media]}
    return {"anyOf": [TEXT, {**_object(media | _fields(Item)), **either}]}


def _as_written(schema: Schema, definitions: Schema) -> Schema:
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
