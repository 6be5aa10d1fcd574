"""A plan, the next look and the rows of posts, as release 0.2.0 stores them."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.planning.begin_runs import Begun, Passed
from airflow_provider_instagram.calendar.planning.post_rows import PlannedPost, PostRows
from airflow_provider_instagram.calendar.planning.stored_plan import Due, StoredPlan, due_file
from tests.unit.calendar.simulated_runs import NOON, Rows, after_noon

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar

TEXT = """\
slots: {new: [Thu 19:00 Europe/Berlin]}
min_spacing: 10 min
defaults: {account: new}
posts:
- {id: over, publish_at: 2026-12-01 11:00 UTC, video: https://example.com/a.mp4}
- {id: clip, publish_at: 2026-12-02 12:00 UTC, video: https://example.com/a.mp4, tags: [spring]}
- {id: wrong, publish_at: 2026-12-02 14:00 UTC, image: []}
- id: album
  publish_at: 2026-12-03 19:00 Europe/Berlin
  carousel: [https://example.com/a.jpg, {image: https://example.com/b.jpg, alt_text: B}]
"""
OVER: Final = 1796122800.0
CLIP: Final = 1796212800.0
ALBUM: Final = 1796320800.0
#: What the versions of posts are digests of: a release that changes this asks about each post again.
VERSIONS: Final = {
    name: hashlib.sha256(text.encode()).hexdigest()[:32]
    for name, text in {
        "clip": f'{{"account":"new","id":"clip","publish_at":{CLIP},"video":"https://example.com/a.mp4"}}',
        "album": '{"account":"new","carousel":[{"location":"https://example.com/a.jpg"},{"alt_text":"B","kind":"image",'
        f'"location":"https://example.com/b.jpg"}}],"id":"album","publish_at":{ALBUM}}}',
    }.items()
}
POST = {"video": "https://example.com/a.mp4", "account": "new"}
#: Without ``made_of`` and ``pin``, which depend on the machine.
STORED: dict[str, Any] = {
    "form": 1,
    "location": "FILE",
    "text": TEXT,
    "at": "2026-12-01T12:00:00Z",
    "plan": {
        "calendar": {
            "location": "FILE",
            "posts": [
                POST | {"id": "over", "publish_at": "2026-12-01T11:00:00+00:00", "line": 5},
                POST | {"id": "clip", "publish_at": "2026-12-02T12:00:00+00:00", "line": 6, "tags": ["spring"]},
                {
                    "carousel": [
                        {"location": "https://example.com/a.jpg"},
                        {"location": "https://example.com/b.jpg", "kind": "image", "alt_text": "B"},
                    ],
                    "id": "album",
                    "publish_at": "2026-12-03T19:00:00+01:00 Europe/Berlin",
                    "account": "new",
                    "line": 8,
                },
            ],
            "problems": [
                {
                    "line": 7,
                    "message": "image must be text.",
                    "remedy": "Write it after the colon, on one line.",
                    "post_id": "wrong",
                    "field": "image",
                }
            ],
            "min_spacing": "PT10M",
            "left_out": ["wrong"],
            "invalid": [{"id": "wrong", "publish_at": "2026-12-02T14:00:00+00:00", "account": "new", "line": 7}],
        },
        "begun": {
            "clip": {"version": VERSIONS["clip"], "due": CLIP, "key": "new/clip", "run": "clip"},
            "album": {"version": VERSIONS["album"], "due": ALBUM, "key": "new/album", "run": "album"},
        },
        "passed": {"over": {"due": OVER, "is_mistake": False}},
        "pending": ["clip", "album"],
    },
    "about": {
        "lead_time": "PT1H",
        "max_lateness": "PT1H",
        "prepare_ahead": "P3D",
        "accounts": ["instagram_default", "new", "other"],
    },
}


def test_what_a_planner_stores_has_its_form(calendar: SimulatedCalendar) -> None:
    calendar.file.write_text(TEXT)
    calendar.plan(0, all_started=False)
    plan = Path(calendar.settings.plan_file)
    due = Path(due_file(str(plan)))
    stored, looks = json.loads(plan.read_text()), json.loads(due.read_text())
    assert (len(stored.pop("made_of")), len(stored.pop("mark"))) == (97, 16)
    pin = stored["plan"]["calendar"].pop("pin")
    assert pin == str(calendar.file)
    assert stored == json.loads(json.dumps(STORED).replace("FILE", str(calendar.file)))
    digest = looks["content"]
    assert (len(digest), len(looks.pop("settings"))) == (64, 32)
    assert looks == {
        "form": 1,
        "calendar": str(calendar.file),
        "pin": pin,
        "content": digest,
        "at": after_noon(2).timestamp(),
    }


def test_a_stored_plan_is_read(tmp_path: Path) -> None:
    """A moment keeps the name of its zone, by which people know it."""
    file = tmp_path / "a.plan.json"
    file.write_text(json.dumps(STORED))
    stored = StoredPlan.read(str(file))
    assert stored is not None
    assert (stored.text, stored.at, stored.about.prepare_ahead) == (TEXT, NOON, timedelta(days=3))
    plan = stored.plan
    assert plan.begun == {
        "clip": Begun(VERSIONS["clip"], CLIP, "new/clip", "clip"),
        "album": Begun(VERSIONS["album"], ALBUM, "new/album", "album"),
    }
    assert (plan.passed, plan.pending) == ({"over": Passed(OVER, is_mistake=False)}, ("clip", "album"))
    _, clip, album = plan.calendar.posts
    assert {post.id: post.version for post in (clip, album)} == VERSIONS
    assert f"{album.publish_at:%H:%M %Z}" == "19:00 Europe/Berlin"
    assert (album.carousel[1].alt_text, clip.tags) == ("B", ("spring",))
    assert [problem.post_id for problem in plan.calendar.problems] == ["wrong"]


def test_what_another_release_has_stored_is_as_good_as_nothing(tmp_path: Path) -> None:
    """After a rollback, each run is started again, and finds its work done."""
    file = tmp_path / "a.json"
    for form in (0, 2, "1"):
        file.write_text(json.dumps(STORED | {"form": form}))
        assert StoredPlan.read(str(file)) is None
        file.write_text(json.dumps({"form": form, "calendar": "a", "settings": "b", "content": None, "at": 0}))
        assert Due.read(str(file)) is None


def test_the_rows_of_a_post_have_their_form(tmp_path: Path) -> None:
    file = tmp_path / "a.plan.json"
    file.write_text(json.dumps(STORED))
    stored = StoredPlan.read(str(file))
    assert stored is not None
    clip, store = stored.plan.calendar.posts[1], Rows()
    rows = PostRows(store)
    rows.record_run(clip.key, "clip", clip.version)
    rows.record_planned("content", clip.key, PlannedPost(run="clip", post=clip, location="posts.yaml"))
    rows.record_skip(clip, "ada")
    rows.record_late_time(clip, NOON)
    assert store == {
        "begun:new/clip": {"runs": {"clip": clip.version}},
        "planned:new/clip:content": {
            "run": "clip",
            "post": clip.model_dump(mode="json", exclude_defaults=True),
            "location": "posts.yaml",
        },
        "skip:new/clip": {"version": clip.version, "user": "ada"},
        "late:new/clip": {"version": clip.version, "at": "2026-12-01T12:00:00Z"},
    }
    assert rows.runs(clip.key) == {"clip": clip.version}
    planned = rows.planned("content", clip.key)
    assert planned is not None
    assert planned.post == clip
    assert (rows.skipped_by(clip), rows.late_time(clip)) == ("ada", NOON)
