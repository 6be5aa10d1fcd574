"""Posts of every format: pictures, carousels, stories and first comments, and what is wrong with those that are not."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.parser import read_calendar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_instagram.calendar.file.columns import Calendar, ScheduledPost

FILES = ("a.mp4", "a.jpg", "b.jpg", "c.mov", "one, two.jpg", "noname", "notes.txt")
NO_UPLOAD = (
    "upload is file, but pictures reach Instagram by link. Remove upload. Instagram fetches a local picture from its "
    "copy below [instagram] public_prefix."
)
INVISIBLE = "has an invisible character, number {}. Delete it, or type the words around it again."


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Calendar]:
    for name in FILES:
        (tmp_path / name).touch()
    (tmp_path / "nul.txt").write_text("a\0b")

    def from_text(text: str, ending: str = "yaml", **how: Any) -> Calendar:
        file = tmp_path / f"posts.{ending}"
        file.write_text(text, encoding="utf-8")
        return read_calendar(str(file), **how)

    return from_text


@pytest.fixture
def read_post(read: Callable[..., Calendar]) -> Callable[..., ScheduledPost]:
    """Read a single post without a problem."""

    def of(more: str, defaults: str = "timezone: UTC") -> ScheduledPost:
        calendar = read(f"defaults: {{{defaults}}}\nposts:\n- id: x\n  publish_at: 2030-05-06 08:30\n{more}")
        assert calendar.problems == ()
        (post,) = calendar.posts
        return post

    return of


@pytest.fixture
def said(read: Callable[..., Calendar]) -> Callable[..., list[str]]:
    """Read a single post; return its problems as ``line: message remedy``. Its own fields begin in line 4."""

    def of(more: str, defaults: str = "timezone: UTC", **how: Any) -> list[str]:
        head = f"defaults: {{{defaults}}}\nposts:\n- {{id: x, publish_at: 2030-05-06 08:30 UTC,\n"
        calendar = read(f"{head}{more}\n  }}\n", **how)
        assert calendar.problems == () or calendar.posts == ()
        return [f"{problem.line}: {problem.message} {problem.remedy}" for problem in calendar.problems]

    return of


def test_a_picture(read_post: Callable[..., ScheduledPost], tmp_path: Path) -> None:
    post = read_post("  image: a.jpg\n  caption: Hello\n  alt_text: A {{ tree }}\n")
    assert (post.image, post.video, post.carousel) == (str(tmp_path / "a.jpg"), None, ())
    assert post.options == {"caption": "Hello", "alt_text": "A {{ tree }}"}
    assert (post.appears_in, post.kind, post.media) == ("feed", "picture", (str(tmp_path / "a.jpg"),))


def test_an_item_that_breaks_a_limit_is_named_at_its_line(read: Callable[..., Calendar]) -> None:
    head = "posts:\n- id: x\n  publish_at: 2030-05-06 08:30 UTC\n  carousel:\n"
    (problem,) = read(f"{head}  - a.jpg\n  - video: c.mov\n    alt_text: A\n").problems
    assert (problem.line, problem.message) == (6, "Item 2 is a video, which takes no alt_text in a carousel.")


def test_tags_of_a_picture_have_a_place(read_post: Callable[..., ScheduledPost]) -> None:
    post = read_post("  image: a.jpg\n  user_tags: [{username: '@ann', x: 0.5, y: '1'}]\n")
    assert post.options == {"user_tags": [{"username": "ann", "x": 0.5, "y": 1.0}]}


def test_a_carousel_of_names_and_objects(read_post: Callable[..., ScheduledPost], tmp_path: Path) -> None:
    post = read_post(
        "  carousel:\n"
        "    - a.jpg\n"
        "    - {image: https://example.com/b.jpg?sig=1, alt_text: None, user_tags: [{username: ann, x: 0.5, y: 0.4}]}\n"
        "    - {video: c.mov}\n"
    )
    first, second, third = post.carousel
    assert (first.location, first.kind) == (str(tmp_path / "a.jpg"), None)
    assert (second.kind, second.alt_text) == ("image", "None")
    assert second.user_tags == ({"username": "ann", "x": 0.5, "y": 0.4},)
    assert (third.location, third.kind) == (str(tmp_path / "c.mov"), "video")
    assert (post.appears_in, post.kind) == ("feed", "carousel")
    assert post.media == (first.location, second.location, third.location)


@pytest.mark.parametrize("medium", ["image: a.jpg", "video: a.mp4"])
def test_a_story(read_post: Callable[..., ScheduledPost], medium: str) -> None:
    post = read_post(f"  {medium}\n  placement: Story\n")
    assert (post.appears_in, post.kind) == ("story", "story")


def test_a_first_comment(read_post: Callable[..., ScheduledPost]) -> None:
    assert read_post("  image: a.jpg\n  first_comment: '{{ x }} #one'\n").first_comment == "{{ x }} #one"


def test_the_medium_of_a_post_overrides_that_of_the_defaults(read_post: Callable[..., ScheduledPost]) -> None:
    post = read_post("  carousel: a.jpg, b.jpg\n", "timezone: UTC, video: a.mp4, placement: reels")
    assert (post.video, len(post.carousel), post.appears_in) == (None, 2, "feed")


@pytest.mark.parametrize(
    ("medium", "kept"),
    [
        ("video: a.mp4", {"caption", "share_to_feed", "collaborators", "video_cover_timestamp_ms"}),
        ("image: a.jpg", {"caption", "alt_text", "collaborators"}),
        ("carousel: 'a.jpg, b.jpg'", {"caption", "collaborators"}),
        ("image: a.jpg, placement: story", {"placement"}),
    ],
)
def test_a_default_counts_where_the_format_takes_it(read: Callable[..., Calendar], medium: str, kept: set[str]) -> None:
    calendar = read(
        "defaults: {timezone: UTC, caption: c, share_to_feed: yes, video_cover_timestamp_ms: 5, alt_text: a, "
        "collaborators: ann, first_comment: f}\n"
        f"posts:\n- {{id: x, publish_at: 2030-05-06 08:30, {medium}}}\n"
    )
    assert calendar.problems == ()
    (post,) = calendar.posts
    assert set(post.options) == kept
    assert post.first_comment == (None if post.placement == "story" else "f")


@pytest.mark.parametrize("ending", ["csv", "yaml"])
@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a.jpg, c.mov,b.jpg", ["a.jpg", "c.mov", "b.jpg"]),
        ('"one, two.jpg", b.jpg', ["one, two.jpg", "b.jpg"]),
        ("a.jpg\nb.jpg,\n", ["a.jpg", "b.jpg"]),
        ('["one, two.jpg", {"image": "b.jpg", "alt_text": "B"}]', ["one, two.jpg", "b.jpg"]),
    ],
)
def test_items_in_one_cell_are_separated_by_commas(
    read: Callable[..., Calendar], tmp_path: Path, ending: str, cell: str, names: list[str]
) -> None:
    """A spreadsheet writes the cell's own quotation marks twice; nobody has to."""
    row = {"id": "x", "publish_at": "2030-05-06 08:30 UTC", "carousel": cell}
    text = io.StringIO()
    writer = csv.DictWriter(text, row)
    writer.writeheader()
    writer.writerow(row)
    calendar = read(text.getvalue() if ending == "csv" else json.dumps({"posts": [row]}), ending, check_files=True)
    assert calendar.problems == ()
    assert [item.location for item in calendar.posts[0].carousel] == [str(tmp_path / name) for name in names]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "  image: a.jpg,\n  video: a.mp4",
            "5: the post has image and video. Keep one of them. A carousel shows several pictures and videos.",
        ),
        ("  image: a.mp4", "4: image is {folder}/a.mp4, which is a video. Write it after video: instead."),
        ("  video: a.jpg", "4: video is {folder}/a.jpg, which is a picture. Write it after image: instead."),
        ("  image: gone.jpg", ("4: image: there is no file {folder}/gone.jpg. Check the name, also upper and "
        "lower case.")),
        ("  carousel: a.jpg", "4: Items in the carousel: 1. Use 2 to 10 items."),
        (f"  carousel: [{', '.join(['a.jpg'] * 11)}]", "4: Items in the carousel: 11. Use 2 to 10 items."),
        ("  carousel: []", "4: Items in the carousel: 0. Use 2 to 10 items."),
        (
            "  carousel: {a: b}",
            "4: carousel is not a list. Write a list of files, of {image: …, alt_text: …} and of {video: …}.",
        ),
        (
            "  carousel: '\"a.jpg, b.jpg'",
            ("4: the quotation marks in carousel do not match. Separate the items by commas, and put a name "
            "that contains a "
            'comma in quotation marks: "one, two.jpg".'),
        ),
        (
            "  carousel: [a.jpg,\n    gone.jpg]",
            "5: carousel, item 2: there is no file {folder}/gone.jpg. Check the name, also upper and lower case.",
        ),
        (
            "  carousel: [a.jpg, [b.jpg]]",
            ("4: carousel, item 2: it is neither a file nor an object. Write a list of files, of {image: …, "
            "alt_text: …} and "
            "of {video: …}."),
        ),
        (
            "  carousel: [a.jpg, {image: a.mp4}]",
            "4: carousel, item 2: image is a.mp4, which is a video. Write it after video: instead.",
        ),
        (
            "  carousel: [a.jpg, {video: c.mov, alt_text: A}]",
            "4: Item 2 is a video, which takes no alt_text in a carousel. Remove alt_text from it.",
        ),
        (
            "  carousel: [a.jpg, {image: b.jpg, user_tags: [ann]}]",
            "4: Item 2: The tag of ann in a picture has no place. Write where: {username: ann, x: 0.5, y: 0.4}.",
        ),
        (
            "  carousel: [a.jpg, b.jpg], alt_text: A",
            "4: A carousel does not take alt_text. Write it with the item: {image: a.jpg, alt_text: A tree}.",
        ),
        (
            "  carousel: [a.jpg, b.jpg], placement: story",
            "4: A carousel cannot be a story. Publish each item as a story of its own.",
        ),
        ("  video: a.mp4, alt_text: A", "4: A reel does not take alt_text. Remove alt_text."),
        ("  video: a.mp4, fit: stretch", "4: fit is 'stretch'. Write pad, blur or crop."),
        ("  video: a.mp4, trim: start", "4: trim is 'start'. Write error or end."),
        ("  image: a.jpg, trim: end", "4: A picture does not take trim. Remove trim."),
        (
            "  image: a.jpg, background: reddish",
            "4: background is 'reddish'. Write a name such as white, or #ffffff (in YAML, \"#ffffff\").",
        ),
        (
            "  image: a.jpg, trial_graduation: SOON",
            "4: A picture does not take trial_graduation. Remove trial_graduation.",
        ),
        (
            "  video: a.mp4, cover_url: 'https://x.test/bühne.jpg?key=1'",
            ("4: cover_url is 'https://x.test/bühne.jpg?…'. Write the public https address of a JPEG, with characters "
            "outside ASCII percent-encoded."),
        ),
        ("  image: a.jpg, share_to_feed: yes", "4: A picture does not take share_to_feed. Remove share_to_feed."),
        (
            "  image: a.jpg, user_tags: [ann]",
            "4: The tag of ann in a picture has no place. Write where: {username: ann, x: 0.5, y: 0.4}.",
        ),
        (
            "  image: a.jpg,\n  poll_attachment: [Tea, Coffee]",
            "5: poll_attachment needs a caption, which is its question. Write a caption.",
        ),
        (
            "  image: a.jpg, placement: story,\n  caption: Hello",
            "5: A story does not take caption. Remove it, or put the text into the picture or the video.",
        ),
        (
            "  image: a.jpg, placement: story,\n  first_comment: Hello",
            "5: A story does not take first_comment. Remove first_comment.",
        ),
        (
            "  image: a.jpg, first_comment: Hello,\n  comment_enabled: no",
            "5: first_comment is set, but comment_enabled is false. Keep one of them.",
        ),
        ("  image: a.jpg, comment_enabled: maybe", "4: comment_enabled is 'maybe'. Write true or false."),
        (
            "  image: a.jpg, branded_content_sponsor_ids: [brand]",
            (
                "4: branded_content_sponsor_ids is set, but the post is not labelled as a paid partnership. "
                "Add is_paid_partnership: true, or remove branded_content_sponsor_ids."
            ),
        ),
        (f"  image: a.jpg, first_comment: {'x' * 301}", ("4: The comment has 301 characters (emoji count as two). "
         "Shorten it to 300.")),
        ("  image: a.jpg, first_comment: '#a #b #c #d #e'", "4: The comment has 5 hashtags. At most 4 are allowed."),
        ("  image: a.jpg, first_comment: LOOK HERE", ("4: The comment is all in capital letters. Write some "
        "letters in lower "
         "case.")),
        ("  image: a.jpg, first_coment: Hi", "4: Unknown field 'first_coment'. Did you mean first_comment?"),
        (
            "  image: 'https://example.com/ü.jpg'",
            ("4: image is https://example.com/ü.jpg: a link must be https, in plain ASCII, and public. Write its "
            "https:// address, with other characters percent-encoded."),
        ),
        (
            "  carousel: [a.jpg, c.mov], upload: url",
            ("4: upload is url, but Instagram cannot fetch a local file. Write upload: file, or give the "
            "carousel's https "
            "address."),
        ),
        (
            "  carousel: [\n  a.jpg,\n  notes.txt]",
            "6: carousel, item 2: notes.txt is neither a picture nor a video. Name a picture or a video.",
        ),
        (
            "  carousel: [a.jpg, {image: notes.txt}]",
            "4: carousel, item 2: notes.txt is neither a picture nor a video. Name a picture or a video.",
        ),
        (
            "  video: notes.txt",
            "4: {folder}/notes.txt is neither a picture nor a video. Name a picture or a video.",
        ),
        (
            "  video: 'https://example.com/notes.PDF?signature=x'",
            "4: https://example.com/notes.PDF?… is neither a picture nor a video. Name a picture or a video.",
        ),
        ("  image: a.jpg,\n  upload: file", f"5: {NO_UPLOAD}"),
        ("  image: noname,\n  upload: file, placement: story", f"5: {NO_UPLOAD}"),
        ("  carousel: [a.jpg, b.jpg],\n  upload: file", f"5: {NO_UPLOAD}"),
        ('  image: a.jpg,\n  caption: "a\\0b"', f"5: caption {INVISIBLE.format(0)}"),
        ('  image: a.jpg,\n  alt_text: "a\\eb"', f"5: alt_text {INVISIBLE.format(27)}"),
        ('  image: a.jpg,\n  first_comment: "a\\x01b"', f"5: first_comment {INVISIBLE.format(1)}"),
        ('  image: a.jpg,\n  tags: [x, "a\\0b"]', f"5: tags {INVISIBLE.format(0)}"),
        (
            '  carousel: [\n  a.jpg,\n  {image: b.jpg, alt_text: "a\\0b"}]',
            f"6: carousel, item 2: alt_text {INVISIBLE.format(0)}",
        ),
    ],
)  # fmt: skip
def test_a_problem_has_its_line_and_a_remedy(
    said: Callable[..., list[str]], tmp_path: Path, more: str, problem: str
) -> None:
    assert said(more, check_files=True) == [problem.replace("{folder}", str(tmp_path))]


def test_an_upload_is_for_videos_and_a_default_for_them_is_ignored_in_a_picture(
    read_post: Callable[..., ScheduledPost], said: Callable[..., list[str]]
) -> None:
    assert read_post("  image: a.jpg\n", "timezone: UTC, upload: file").image is not None
    assert len(read_post("  carousel: [a.jpg, c.mov]\n  upload: file\n").carousel) == 2
    assert len(read_post("  carousel: [a.jpg, noname]\n  upload: file\n").carousel) == 2
    assert said("  image: a.jpg, upload: url") == []


def test_each_item_has_its_own_problem(said: Callable[..., list[str]]) -> None:
    found = said("  carousel: [\n  gone.jpg,\n  /etc/hostname,\n  {video: a.mp4, alt: x}]", check_files=True)
    assert [problem.partition(":")[0] for problem in found] == ["5", "6", "7"]
    assert "carousel, item 3: An item of carousel has an unknown key 'alt'." in found[2]


def test_a_signature_among_the_items_is_in_no_problem(said: Callable[..., list[str]]) -> None:
    link = "http://example.com/a.jpg?signature=two words"
    (problem,) = said(f"  carousel: [b.jpg, '{link}']")
    assert "https" in problem
    assert "words" not in problem


def test_the_version_of_a_post_is_a_digest_of_what_is_set(read: Callable[..., Calendar]) -> None:
    """So a field that comes later makes no post an edited one."""
    calendar = read(
        "min_spacing: 0 s\n"
        "defaults: {timezone: Europe/Berlin, placement: feed}\n"
        "posts:\n"
        "- {id: plain, publish_at: 2030-05-06 08:30, video: 'https://example.com/a.mp4'}\n"
        "- id: full\n"
        "  publish_at: 2030-05-07 08:30\n"
        "  account: studio\n"
        "  video: https://example.com/b.mp4?signature=x\n"
        "  caption: 'Größe {{ x }} #a'\n"
        "  placement: reels\n"
        "  user_tags: [three, '@four']\n"
        "  video_cover_timestamp_ms: 1500\n"
        "  share_to_feed: true\n"
        "  upload: url\n"
        "  approval: required\n"
        "  tags: [x, y]\n"
    )
    assert calendar.problems == ()
    plain = (
        '{"account":"instagram_default","id":"plain","placement":"feed","publish_at":1904279400.0,'
        '"video":"https://example.com/a.mp4"}'
    )
    full = (
        '{"account":"studio","approval":"required","caption":"Größe {{ x }} #a","id":"full",'
        '"publish_at":1904365800.0,"share_to_feed":true,"upload":"url","user_tags":["three","four"],'
        '"video":"https://example.com/b.mp4?signature=x","video_cover_timestamp_ms":1500}'
    )
    assert [post.version for post in calendar.posts] == [
        hashlib.sha256(text.encode()).hexdigest()[:32] for text in (plain, full)
    ]


def test_nobody_writes_two_texts_with_one_version(read_post: Callable[..., ScheduledPost]) -> None:
    """Of 64 bits, an author of a calendar finds two in minutes, and replaces the one that was approved."""
    assert 4 * len(read_post("  video: a.mp4\n").version) >= 128


def test_a_post_says_how_its_files_are_fitted(read_post: Callable[..., ScheduledPost]) -> None:
    plain = read_post("  video: a.mp4\n")
    assert (plain.fit, plain.background, plain.trim) == ("pad", "black", "error")
    assert read_post("  video: a.mp4\n  fit: pad\n  background: black\n  trim: error\n").version == plain.version
    post = read_post("  video: a.mp4\n  fit: Blur\n  background: '#FF8800'\n  trim: end\n")
    assert (post.fit, post.background, post.trim) == ("blur", "#ff8800", "end")
    assert read_post("  image: a.jpg\n", "timezone: UTC, trim: end").trim == "error", "a default is for the videos"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("image: a.jpg", "image: a.jpg\n  fit: crop"),
        ("image: a.jpg", "image: a.jpg\n  background: white"),
        ("video: a.mp4", "video: a.mp4\n  trim: end"),
        ("image: a.jpg", "image: b.jpg"),
        ("carousel: 'a.jpg, b.jpg'", "carousel: 'b.jpg, a.jpg'"),
        ("carousel: 'a.jpg, b.jpg'", "carousel: [a.jpg, {image: b.jpg}]"),
        ("carousel: 'a.jpg, b.jpg'", "carousel: [a.jpg, {image: b.jpg, alt_text: B}]"),
        ("image: a.jpg", "image: a.jpg\n  first_comment: Hi"),
        ("image: a.jpg", "image: a.jpg\n  placement: story"),
        ("image: noname", "video: noname"),
    ],
)
def test_every_edit_is_another_version(read_post: Callable[..., ScheduledPost], before: str, after: str) -> None:
    assert read_post(f"  {before}\n").version != read_post(f"  {after}\n").version


def test_a_relative_name_is_not_that_of_a_file_elsewhere(
    read_post: Callable[..., ScheduledPost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", "/srv/media")
    elsewhere, below = (read_post(f"  image: {name}\n") for name in ("/srv/media/a.jpg", ".//srv/media/a.jpg"))
    assert elsewhere.image != below.image
    assert elsewhere.version != below.version


def test_what_is_shown_of_a_post_has_no_signature(read_post: Callable[..., ScheduledPost]) -> None:
    link = "https://example.com/a.jpg?signature=secret"
    for more in (f"image: {link}", f"carousel:\n  - {link}\n  - {{image: '{link}', alt_text: A}}"):
        assert "secret" not in read_post(f"  {more}\n").without_signatures().model_dump_json()


def test_no_file_says_of_which_version_a_post_is(read_post: Callable[..., ScheduledPost]) -> None:
    """The plan is a file: a version in it would make any post the one that a person has approved."""
    post = read_post("  image: a.jpg\n")
    stored = post.model_dump(mode="json")
    assert type(post).model_validate(stored) == post
    edited = type(post).model_validate({**stored, "first_comment": "Hi", "known_version": post.version})
    assert edited.version != post.version


def test_no_file_calls_a_link_by_the_name_of_another(read_post: Callable[..., ScheduledPost]) -> None:
    """What a link leads to is compared with nothing, so only its name says what was approved."""
    link, other = "https://example.com/a.jpg", "https://example.com/b.jpg"
    post = read_post(f"  image: {link}\n")
    stored = post.model_dump(mode="json")
    renamed = type(post).model_validate({**stored, "image": other, "names": {other: link}})
    assert renamed.version != post.version
