"""Edits of one post in the text of a calendar: every other character stays, and a wrong edit is refused."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.edits import Edit, SeenOther, apply, values_to_edit
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.writer import unified_diff

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.calendar.file.edits import Edited

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
YAML = """\
# Our plan
defaults: {timezone: Europe/Berlin, video: a.mp4}

posts:
  # the week begins
  - id: one   # of the series
    publish_at: 2030-05-06 08:30
    caption: |-   # by Ada
      Hello 😀
      everybody

    tags:       # for the report
      - spring
      - sale

  # The second
  - {id: two, publish_at: "2030-05-07T08:30+02:00", caption: 'it''s'}

  - id: three
    caption:
    publish_at: 2030-05-08 08:30 UTC  # late shift
"""


class File:
    """A calendar's file, to which edits are applied."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        (folder / "a.mp4").touch()
        self.location = str(folder / name)
        self.text = text

    def edited(self, do: str, post_id: str, **given: Any) -> Edited:
        edit = Edit(do, post_id, **given)
        return apply(self.text, self.location, [edit], CalendarFiles(self.location), NOW, {"accounts": None})

    def diff(self, do: str, post_id: str, **given: Any) -> list[str]:
        """Return the lines that an edit removes and adds."""
        edited = self.edited(do, post_id, **given)
        lines = [*unified_diff(self.text.splitlines(), edited.text.splitlines(), "c")]
        return [line for line in lines[2:] if line[0] in "+-"]


@pytest.fixture
def yaml(tmp_path: Path) -> File:
    return File(tmp_path, "calendar.yaml", YAML)


@pytest.mark.parametrize(
    ("post_id", "before", "after"),
    [
        ("one", "    publish_at: 2030-05-06 08:30", "    publish_at: 2030-06-01 09:15"),
        (
            "two",
            """  - {id: two, publish_at: "2030-05-07T08:30+02:00", caption: 'it''s'}""",
            """  - {id: two, publish_at: "2030-06-01T09:15+02:00", caption: 'it''s'}""",
        ),
        (
            "three",
            "    publish_at: 2030-05-08 08:30 UTC  # late shift",
            "    publish_at: 2030-06-01 09:15 UTC  # late shift",
        ),
    ],
)
def test_a_move_writes_the_time_as_the_file_writes_times(yaml: File, post_id: str, before: str, after: str) -> None:
    assert yaml.diff("change", post_id, fields={"publish_at": "2030-06-01T09:15"}) == [f"-{before}", f"+{after}"]


def test_comments_stay_where_a_value_changes_its_form(yaml: File) -> None:
    assert yaml.diff("change", "one", fields={"caption": "Back: #1", "tags": ("autumn", "a b")}) == [
        "-    caption: |-   # by Ada",
        "-      Hello 😀",
        "-      everybody",
        '+    caption: "Back: #1"  # by Ada',
        "-    tags:       # for the report",
        "-      - spring",
        "-      - sale",
        '+    tags: [autumn, "a b"]  # for the report',
    ]


@pytest.mark.parametrize("tags", ["\n  - x  # why x\n  - y", "\n  - x\n  # keep y\n  - y", " [x,  # why x\n    y]"])
def test_comments_between_the_items_of_a_list_refuse_its_change(tmp_path: Path, tags: str) -> None:
    post = f"- id: a\n  publish_at: 2030-05-06 08:30 UTC\n  video: a.mp4\n  tags:{tags}\n"
    file = File(tmp_path, "calendar.yaml", f"posts:\n{post}")
    with pytest.raises(InvalidValue, match="comments between the tags"):
        file.edited("change", "a", fields={"tags": ("z",)})
    assert file.diff("change", "a", fields={"caption": "c"}) == ["+  caption: c"]


@pytest.mark.parametrize("name", ["video", "carousel"])
@pytest.mark.parametrize(
    "where", ["/etc/passwd", "s3://others/a.mp4", "../a.mp4", "below/../../a.mp4", "http://x/a.mp4"]
)
def test_an_edit_names_no_file_outside_of_the_calendars_folder(tmp_path: Path, name: str, where: str) -> None:
    post = "- id: a\n  publish_at: 2030-05-06 08:30 UTC\n  video: a.mp4\n"
    file = File(tmp_path, "calendar.yaml", f"posts:\n{post}")
    with pytest.raises(InvalidValue, match=f"{name} is '"):
        file.edited("change", "a", fields={name: [where, {"video": where}] if name == "carousel" else where})


@pytest.mark.parametrize("tags", ["tags: &t\n  - x\n  - *t", "video_cover: &t\n    - - *t"])
def test_an_alias_that_contains_itself_keeps_nobody_waiting(tmp_path: Path, tags: str) -> None:
    text = f"posts:\n- id: a\n  publish_at: 2030-05-06 08:30 UTC\n  video: a.mp4\n  {tags}\n"
    file = File(tmp_path, "calendar.yaml", text)
    assert file.diff("change", "a", fields={"caption": "c"}) == ["+  caption: c"]
    assert file.edited("remove", "a").text == "posts:\n"


def test_a_text_of_several_lines_is_written_as_lines(yaml: File) -> None:
    assert yaml.diff("change", "three", fields={"caption": "One\n\n  two", "first_comment": "#spring"}) == [
        "-    caption:",
        "+    caption: |-",
        "+      One",
        "+",
        "+        two",
        '+    first_comment: "#spring"',
    ]


def test_a_removed_post_comes_back_with_each_of_its_characters(yaml: File) -> None:
    removed = yaml.edited("remove", "one")
    assert "everybody" not in removed.text
    before, yaml.text = yaml.text, removed.text
    assert yaml.edited("restore", "one", lines=removed.removed, after=removed.after).text == before


def test_the_last_post_can_be_removed_and_comes_back(tmp_path: Path) -> None:
    text = "posts:\n  - {id: a, publish_at: 2030-05-06 08:30 UTC, video: a.mp4}\n"
    file = File(tmp_path, "calendar.yaml", text)
    removed = file.edited("remove", "a")
    assert removed.text == "posts:\n"
    file.text = removed.text
    assert file.edited("restore", "a", lines=removed.removed, after=removed.after).text == text


def test_a_duplicate_follows_its_post_in_the_same_form(yaml: File) -> None:
    edited = yaml.edited("duplicate", "two", new_id="copy", fields={"publish_at": "2030-06-01T09:15"})
    assert edited.post is not None
    assert (edited.post.id, edited.post.caption) == ("copy", "it's")
    assert f"{edited.post.publish_at:%Y-%m-%d %H:%M}" == "2030-06-01 09:15"
    line = next(line for line in edited.text.splitlines() if "copy" in line)
    assert line.strip()[:1] == next(one for one in yaml.text.splitlines() if "two" in one).strip()[:1]


def test_a_carousel_of_objects_can_be_duplicated(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").touch()
    items = "[{image: b.jpg, alt_text: A bee}, a.mp4]"
    text = f"posts:\n  - id: a\n    publish_at: 2030-05-06 08:30 UTC\n    carousel: {items}\n"
    edited = File(tmp_path, "calendar.yaml", text).edited(
        "duplicate", "a", new_id="copy", fields={"publish_at": "2030-06-01T09:15"}
    )
    assert edited.post is not None
    assert [item.alt_text for item in edited.post.carousel] == ["A bee", None]


def test_a_post_comes_back_first_if_the_one_before_it_is_gone(yaml: File) -> None:
    removed = yaml.edited("remove", "two")
    yaml.text = removed.text
    back = yaml.edited("restore", "two", lines=removed.removed, after="a-post-that-is-gone")
    assert back.text.index("2030-05-07") < back.text.index("2030-05-06")


def test_a_new_post_is_added_at_the_end(yaml: File) -> None:
    fields = {"publish_at": "2030-06-01T09:15", "video": "a.mp4", "caption": "New", "tags": ("x",)}
    edited = yaml.edited("add", "new", fields=fields)
    assert edited.post is not None
    assert (edited.post.caption, edited.post.tags, edited.post.publish_at.hour) == ("New", ("x",), 9)
    assert edited.text.rindex("new") > edited.text.rindex("two")


def test_a_new_post_needs_a_file_that_exists(yaml: File) -> None:
    with pytest.raises(InvalidValue, match=r"there is no file .*missing\.mp4"):
        yaml.edited("add", "new", fields={"publish_at": "2030-06-01T09:15", "video": "missing.mp4"})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"publish_at": "2030-05-07T08:31"}, "min_spacing is 5 min"),
        ({"publish_at": "2029-05-07T08:31"}, "2029-05-07 08:31 has passed"),
        ({"publish_at": "2030-02-30T08:31"}, "does not exist"),
        ({"caption": "x" * 2201}, "2201|2,201"),
        ({"placement": "moon"}, "placement is 'moon'"),
    ],
)
def test_a_problem_that_was_not_there_before_refuses_the_edit_in_its_words(
    yaml: File, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidValue, match=words):
        yaml.edited("change", "one", fields=fields)


def test_problems_that_are_there_already_refuse_nothing(yaml: File) -> None:
    yaml.text += "  - {id: broken, capton: x}\n"
    assert yaml.edited("change", "one", fields={"caption": "Back"}).post is not None


def test_a_post_with_problems_is_mended_one_problem_after_the_other(tmp_path: Path) -> None:
    file = File(tmp_path, "calendar.yaml", YAML.replace("it''s", "x" * 2300))
    seen = {"caption": "x" * 2300}
    with pytest.raises(InvalidValue, match=r"2,?250"):
        file.edited("change", "two", seen=seen, fields={"caption": "y" * 2250})
    moved = file.edited("change", "two", seen=seen, fields={"publish_at": "2030-06-01T09:15"})
    assert moved.post is None, "its caption is still too long"
    file.text = moved.text
    mended = file.edited("change", "two", seen={"publish_at": "2030-06-01T09:15", **seen}, fields={"caption": "Short"})
    assert mended.post is not None
    assert (mended.post.caption, f"{mended.post.publish_at:%m-%d %H:%M}") == ("Short", "06-01 09:15")


def test_a_post_with_a_problem_is_removed_and_comes_back_with_it(yaml: File) -> None:
    yaml.text = yaml.text.replace("it''s", "x" * 2300)
    removed = yaml.edited("remove", "two")
    yaml.text = removed.text
    assert "x" * 2300 not in removed.text
    restored = yaml.edited("restore", "two", lines=removed.removed, after=removed.after)
    assert "x" * 2300 in restored.text
    yaml.text = restored.text
    with pytest.raises(InvalidValue, match="same id"):
        yaml.edited("restore", "two", lines=removed.removed, after=removed.after)


def test_an_edit_of_a_post_that_changed_meanwhile_is_refused_with_what_it_says_now(yaml: File) -> None:
    with pytest.raises(SeenOther) as refused:
        yaml.edited("change", "two", seen={"caption": "old", "tags": ()}, fields={"caption": "mine"})
    assert refused.value.now == {"caption": "it's"}
    with pytest.raises(SeenOther) as gone:
        yaml.edited("change", "gone", fields={"caption": "mine"})
    assert gone.value.now is None


@pytest.mark.parametrize("text", ["posts: [{id: a, note: x}]\n", '{"posts": [{"id": "a", "note": "x"}]}\n'])
def test_posts_in_brackets_are_edited_in_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidValue, match="the posts stand in brackets"):
        File(tmp_path, "calendar.yaml", text).edited("change", "a", fields={"note": "y"})


def test_a_text_that_posts_share_through_an_anchor_is_not_changed_for_both(tmp_path: Path) -> None:
    text = (
        "posts:\n- {id: a, publish_at: 2030-05-06 08:30 UTC, video: a.mp4, caption: &c Both}\n"
        "- {id: b, publish_at: 2030-05-07 08:30 UTC, video: a.mp4, caption: *c}\n"
    )
    file = File(tmp_path, "calendar.yaml", text)
    with pytest.raises(InvalidValue, match="shares text with others"):
        file.edited("change", "a", fields={"caption": "Mine"})
    edited = file.edited("change", "b", fields={"caption": "Mine"})
    assert edited.text == text.replace("*c", '"Mine"')


def test_a_post_from_which_others_take_their_values_is_not_changed_for_all_of_them(tmp_path: Path) -> None:
    text = (
        "posts:\n- &base\n  id: a\n  publish_at: 2030-05-06 08:30 UTC\n  video: a.mp4\n  caption: Both\n"
        "- <<: *base\n  id: b\n  publish_at: 2030-05-07 08:30 UTC\n"
    )
    file = File(tmp_path, "calendar.yaml", text)
    with pytest.raises(InvalidValue, match="shares text with others"):
        file.edited("change", "a", fields={"caption": "Mine"})
    assert file.edited("change", "b", fields={"caption": "Mine"}).text == f"{text.rstrip()}\n  caption: Mine\n"


@pytest.mark.parametrize(
    "caption",
    [
        "- a",
        "a: b",
        "# a",
        "null",
        "yes",
        "1",
        "*a",
        "&a",
        "'",
        '"',
        "a\u2028b",
        "a\x85b",
        "😀\n😀",
        "a\n b\n",
        "{a}",
        "%",
        "\\n",
    ],
)
def test_whatever_a_caption_contains_is_read_back(yaml: File, caption: str) -> None:
    edited = yaml.edited("change", "one", fields={"caption": caption.strip()})
    assert edited.post is not None
    assert edited.post.caption == caption.strip()


def test_the_line_ends_of_windows_stay(tmp_path: Path) -> None:
    file = File(tmp_path, "calendar.yaml", YAML.replace("\n", "\r\n"))
    edited = file.edited("change", "one", fields={"caption": "a\nb", "first_comment": "c"})
    assert "\n" not in edited.text.replace("\r\n", "")
    assert edited.post is not None
    assert edited.post.caption == "a\nb"


def test_a_diff_names_the_lines_of_the_file() -> None:
    before = [f"line {number}" for number in range(100)]
    after = [*before[:50], "new", *before[51:]]
    diff = unified_diff(before, after, "plan.yaml")
    assert [*diff] == [
        "--- a/plan.yaml", "+++ b/plan.yaml", "@@ -48,7 +48,7 @@",
        " line 47", " line 48", " line 49", "-line 50", "+new", " line 51", " line 52", " line 53",
    ]  # fmt: skip


def test_a_diff_of_lines_that_are_too_many_to_compare_in_seconds_says_so() -> None:
    before = [f"line {number % 200}" for number in range(300_000)]
    after = ["new", *before[1:-1], "new"]
    (line,) = unified_diff(before, after, "plan.yaml")
    assert line == "The first and the last change are more than 60,000 lines apart, too many to compare."


PINNED = {"username": "ann", "x": 0.25, "y": 1}
ALBUM: list[dict[str, Any]] = [
    {"image": "b.jpg", "alt_text": 'A "tree"\nin a, wood', "user_tags": [PINNED]},
    {"video": "a.mp4"},
]


@pytest.fixture
def album(tmp_path: Path, yaml: File) -> File:
    for name in ("b.jpg", "Brötchen (1).jpg"):
        (tmp_path / name).touch()
    return yaml


def values(file: File, text: str, post_id: str) -> dict[str, Any]:
    found = values_to_edit(text, file.location, post_id, CalendarFiles(file.location), {})
    assert found is not None
    return found


def test_the_items_of_a_carousel_are_written_and_shown_in_order_with_what_belongs_to_each(album: File) -> None:
    first = album.edited("change", "one", fields={"video": "", "carousel": ALBUM})
    assert first.post is not None
    assert first.post.carousel[0].alt_text == ALBUM[0]["alt_text"]
    assert first.post.carousel[0].user_tags == (PINNED,)
    shown = values(album, first.text, "one")
    assert (shown["carousel"], shown["video"]) == (ALBUM, None)
    album.text = first.text
    turned = [ALBUM[1], {"image": "Brötchen (1).jpg"}, ALBUM[0]]
    second = album.edited("change", "one", seen={"carousel": ALBUM}, fields={"carousel": turned})
    assert values(album, second.text, "one")["carousel"] == turned
    with pytest.raises(SeenOther) as other:
        album.edited("change", "one", seen={"carousel": turned}, fields={"caption": "x"})
    assert other.value.now == {"carousel": ALBUM}


def test_numbers_choices_and_lists_are_written_as_the_file_writes_them(album: File) -> None:
    fields = {
        "video_cover_timestamp_ms": 1500, "share_to_feed": False, "is_ai_generated": True, "fit": "crop",
        "collaborators": ["@ann", "jo.e"], "poll_attachment": ["Yes", "No"],
        "first_comment": "#one", "user_tags": ["ann"],
    }  # fmt: skip
    edited = album.edited("change", "one", fields=fields)
    assert edited.post is not None
    assert edited.post.options.items() >= {
        "video_cover_timestamp_ms": 1500, "share_to_feed": False, "is_ai_generated": True, "user_tags": ["ann"],
        "collaborators": ["ann", "jo.e"],
    }.items()  # fmt: skip
    assert values(album, edited.text, "one").items() >= {**fields, "collaborators": ["ann", "jo.e"]}.items()
    album.text = edited.text
    emptied = album.edited("change", "one", fields=dict.fromkeys(fields, None) | {"fit": "pad"})
    before = values(album, YAML, "one")
    assert values(album, emptied.text, "one") == before


def test_a_link_keeps_its_signature_when_its_place_in_a_carousel_changes(tmp_path: Path) -> None:
    link = "https://media.example.com/a.jpg?X-Signature=abc"
    head = "posts:\n  - id: a\n    publish_at: 2030-05-06 08:30 UTC\n"
    file = File(tmp_path, "calendar.yaml", f"{head}    carousel: [{link}, a.mp4]\n")
    shown = values(file, file.text, "a")["carousel"]
    assert "abc" not in str(shown)
    edited = file.edited("change", "a", seen={"carousel": shown}, fields={"carousel": shown[::-1]})
    assert edited.text == f'{head}    carousel: ["a.mp4", "{link}"]\n'
    alone = file.edited("change", "a", fields={"image": shown[0]["image"], "carousel": []})
    assert alone.text == f"{head}    image: {link}\n"
    twins = File(tmp_path, "calendar.yaml", f"{head}    carousel: [{link}, {link}d, a.mp4]\n")
    with pytest.raises(InvalidValue, match="two links of this post differ"):
        twins.edited("change", "a", fields={"carousel": shown})


def test_a_refused_value_names_its_field(album: File) -> None:
    refused = {
        "caption": ("x" * 2_201, "caption"), "carousel": ([{"image": "a.mp4"}, {"image": "b.jpg"}], "carousel"),
        "video": ("/etc/passwd", "video"), "image": ("none.jpg", "video"),
        "publish_at": ("2029-05-06T08:30", "publish_at"),
        "video_cover_timestamp_ms": (-1, "video_cover_timestamp_ms"),
    }  # fmt: skip
    for name, (value, field) in refused.items():
        with pytest.raises(InvalidValue) as invalid:
            album.edited(
                "change", "two", fields={name: value} | ({"video": ""} if name in ("carousel", "image") else {})
            )
        assert invalid.value.field == field


def test_a_new_post_says_the_approval_that_its_dag_or_the_defaults_require(yaml: File) -> None:
    fields = {"publish_at": "2030-06-01T09:15", "video": "a.mp4"}
    edit = Edit("add", "new", fields=fields)
    files = CalendarFiles(yaml.location)
    by_dag = apply(yaml.text, yaml.location, [edit], files, NOW, {"accounts": None, "approval": "required"})
    assert "    approval: required" in by_dag.text
    yaml.text = yaml.text.replace("video: a.mp4}", "video: a.mp4, approval: required}")
    assert "    approval: required" in yaml.edited("add", "new", fields=fields).text
    assert "    approval: none" in yaml.edited("add", "new", fields=fields | {"approval": "none"}).text


def test_media_of_a_post_take_the_place_of_those_of_the_defaults(tmp_path: Path, yaml: File) -> None:
    (tmp_path / "b.jpg").touch()
    media: dict[str, Any] = {"video": None, "image": "b.jpg", "carousel": []}
    assert yaml.diff("change", "three", fields=media) == ["+    image: b.jpg"]
    yaml.text = yaml.edited("change", "three", fields=media).text
    assert yaml.diff("change", "three", fields={"video": "a.mp4", "image": None}) == [
        "-    image: b.jpg", "+    video: a.mp4",
    ]  # fmt: skip
