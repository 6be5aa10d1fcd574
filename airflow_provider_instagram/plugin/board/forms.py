"""The forms of the Posts page: what a user can edit of a post, and what a new one can have.

Their fields come from the declaration of a post, so that a new field is in them by itself.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from fastapi import HTTPException

from airflow_provider_instagram.calendar.file import edits
from airflow_provider_instagram.calendar.file.columns import (
    CALENDAR_FIELDS,
    CalendarPost,
    WrittenPost,
)
from airflow_provider_instagram.calendar.file.parser import KEYS
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.values import FIELDS
from airflow_provider_instagram.calendar.file.writer import CalendarWriter
from airflow_provider_instagram.calendar.planning.stored_plan import Due, due_file
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.posts.limits import LONGEST_CAPTION, LONGEST_COMMENT, MOST_ITEMS
from airflow_provider_instagram.posts.post import MEDIA
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.urls import shown, shown_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.board.states import Facts
    from airflow_provider_instagram.plugin.bodies import Json

#: The most characters of a text, as UTF-16 counts them: an emoji is two or more.
LONGEST: Final = {"caption": LONGEST_CAPTION, "first_comment": LONGEST_COMMENT}
#: The beginning of a field in YAML or JSON. The query of a link never continues there.
FIELD: Final = re.compile(rf'[\s{{,]*(?:-\s+)?"?(?:{"|".join(KEYS)})"?\s*:')
#: What stands for a query.
HIDDEN: Final = "…"
#: If the planner has not read an edit for so long, it is paused or stands still, and the version in
#: the plan counts.
READ_WITHIN: Final = timedelta(minutes=2)
#: The fields of forms by the type of a value in a JSON schema.
INPUTS: Final = {"boolean": "flag", "integer": "number", "array": "words", "string": "text"}


def offered(board: Board, post_id: str) -> Json:
    """Return what the page offers for a post that a user may edit. A post with a problem is not copied."""
    card = board.cards.get(f"{board.dag_id}/{post_id}")
    facts = board.facts.get(post_id)
    if card is None or card.is_duplicate:
        return {"does": []}
    if card.status.is_over:
        does = ["duplicate"]
    elif facts is None:
        does = ["change", "remove"]
    else:
        does = ["change", "duplicate", "remove"]
    seen = _values(board, post_id)
    zone = facts.post.publish_at.tzname() if facts else None
    return {
        "does": does if seen else [],
        "seen": seen,
        "zone": zone,
        "approved": is_approved(facts),
    }


def _values(board: Board, post_id: str) -> Json | None:
    """Return the values of a post as the file has them by now: whoever saved a moment ago may go on."""
    if not board.is_read:
        return None
    try:
        writer = writer_of(board)
        return edits.values_to_edit(
            writer.text(), board.location, post_id, writer.files, board.rules
        )
    except (InvalidValue, InstagramError):  # the file is broken or elsewhere, or its storage fails
        return None


def for_form(board: Board) -> Json:
    """Return what a form needs: the files in the calendar's folder, the accounts, the zone of a new post, its fields.

    ``start`` contains the values that a new post has by the file's defaults, and the approval that
    the DAG requires.
    """
    writer = writer_of(board)
    try:
        text = writer.text()
        names = writer.media_names()
    except InvalidValue as invalid:
        raise HTTPException(422, f"{shown(invalid.message)} {invalid.remedy}") from None
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        raise HTTPException(
            503, f"The calendar's folder cannot be read: {shown(str(error))}."
        ) from None
    stored = board.stored
    required = stored.about.approval
    start = edits.values_of_new(text, board.location)
    if required:
        start["approval"] = required
    return {
        "files": names,
        "accounts": list(board.accounts),
        "zone": edits.zone_of_new(stored.plan.calendar, text),
        "fields": form_fields(),
        "start": start,
        "required": required,
        "most": MOST_ITEMS,
    }


def form_fields() -> list[Json]:
    """Return the fields of a form, beside the media and the time, as they are declared. What is empty is left out."""
    declared: Json = {}
    for model in (WrittenPost, CalendarPost):
        declared |= model.model_json_schema()["properties"]
    return [_field(name, declared[name]) for name in FIELDS if name not in MEDIA]


def _field(name: str, schema: Json) -> Json:
    about = CALENDAR_FIELDS[name]
    branches = schema.get("anyOf", [schema])
    value = next(one for one in branches if one.get("type") != "null")
    words = value.get("enum")
    if words:
        control = "choice"
    elif "anyOf" in value.get("items", {}):
        control = "tags"
    else:
        control = INPUTS[value["type"]]
    content = {
        "name": name,
        "label": about.label or name.removeprefix("is_").replace("_", " ").capitalize(),
        "says": about.says,
        "kinds": sorted(about.kinds),
        "input": control,
        "words": words,
        "optional": len(branches) > 1,
        "lines": about.lines,
        "longest": LONGEST.get(name),
        "least": value.get("minimum"),
        "most": value.get("maximum"),
    }
    return {one: part for one, part in content.items() if part not in (None, 0, False)}


def writer_of(board: Board) -> CalendarWriter:
    """Return what writes into a calendar's file and folder."""
    # only what Airflow has read says which folder is the calendar's
    if not board.is_read:
        raise HTTPException(
            503,
            "Airflow has not read the calendar's file yet. Nothing was changed. Try again later.",
        )
    stored = board.stored
    return CalendarWriter(board.location, stored.plan.calendar.pin, public_lines)


def public_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines as a diff may show them: without the queries of links, which may be signatures.

    An address that reaches the end of its line may go on, until a line that begins another field.
    """
    is_hidden = False
    for line in lines:
        if is_hidden and not FIELD.match(line):
            yield HIDDEN
            continue
        public = shown_in(line)
        last_word = line.rstrip().rpartition(" ")[2]
        is_open = "//" in last_word and not last_word.endswith(('"', "'", ","))
        is_hidden = is_open or public != line or line.endswith("\\")
        yield public


def has_unread_edit(board: Board) -> bool:
    """Return whether the planner is about to read an edit of the file. False if the file cannot be read here."""
    if board.is_edited_elsewhere:
        return False
    due = Due.read(due_file(board.calendar.plan_file))
    if due is None:
        return False
    try:
        writer = writer_of(board)
        edited = writer.edited_at()
        text = writer.text()
    except Exception:  # noqa: BLE001 -- each storage has errors of its own
        return False
    is_new = edited is not None and abs(utc_now() - edited) < READ_WITHIN
    return is_new and text != board.stored.text and edits.digest(text) != due.content


def is_approved(facts: Facts | None) -> bool:
    """Return whether a person has approved a post."""
    if facts is None or facts.post.approval != "required":
        return False
    answer = facts.answer
    is_yes = answer is not None and answer.approved
    return is_yes or facts.task("approve").state == "success"
