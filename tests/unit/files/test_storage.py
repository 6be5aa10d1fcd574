from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.access import inside_media_roots
from airflow_provider_instagram.operators import CreateContainerOperator, TranscodeOperator
from airflow_provider_instagram.utils import urls
from tests.unit.calendar.simulated_runs import SimulatedCalendar


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", '{"conn_type": "instagram", "password": "IGAAtest"}')


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "videos").mkdir()
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", f"/nowhere, {tmp_path}/videos")
    return tmp_path


def test_a_run_may_read_what_lies_in_a_media_root(roots: Path) -> None:
    inside = str(roots / "videos" / "a.mov")
    assert inside_media_roots(inside) == inside
    assert inside_media_roots(f"file://{inside}") == f"file://{inside}"


@pytest.mark.parametrize("path", ["secret.mov", "videos/../secret.mov", "videos2/a.mov", "videos/link.mov"])
def test_a_run_may_not_read_what_lies_elsewhere(roots: Path, path: str) -> None:
    (roots / "secret.mov").touch()
    (roots / "videos" / "link.mov").symlink_to(roots / "secret.mov")
    with pytest.raises(ValidationError, match="media_roots"):
        inside_media_roots(str(roots / path))


def test_what_a_link_carries_behind_its_path_is_not_shown() -> None:
    assert urls.shown("https://example.com/a.mp4?signature=secret") == "https://example.com/a.mp4?…"
    assert urls.shown("HTTPS://me:secret@example.com/a.mp4#secret") == "HTTPS://example.com/a.mp4#…"
    assert urls.shown("simplecache::https://example.com/a?secret") == "simplecache::https://example.com/a?…"
    assert urls.shown("link 'https://example.com/a.mp4?…'.") == "link 'https://example.com/a.mp4?…'."
    assert urls.shown("https://example.com/a.mp4?…').secret") == "https://example.com/a.mp4?…"
    assert urls.shown("/data/really?.mov") == "/data/really?.mov"
    assert urls.shown("https://example.com/a@b.mp4") == "https://example.com/a@b.mp4"
    assert urls.shown("https://example.com:8443/a@b.mp4") == "https://example.com:8443/a@b.mp4"


#: Texts with a secret, and what is shown of them.
SECRETS = {
    "//host/x?X-Amz-Signature=SECRET": "//host/x?…",
    "see //host/x?X-Amz-Signature=SECRET now": "see //host/x?… now",
    "https://host/x;sig=SECRET": "https://host/x;…",
    "HTTPS://HOST/X;SIG=SECRET": "HTTPS://HOST/X;…",
    "https://host/x%3Fsig=SECRET": "https://host/x%3F…",
    "https://host/x%253fsig%253dSECRET%2526a": "https://host/x%253f…",
    "https%3A%2F%2Fhost%2Fx%3Fsig%3DSECRET": "https%3A%2F%2Fhost%2Fx%3F…",
    "https%3a%2f%2fme%3aSECRET%40host%2fx": "https%3a%2f%2fhost%2fx",
    "https://host/x%26X-Amz-Signature%3DSECRET": "https://host/x%26…",
    "https://host/x&amp;sig=SECRET": "https://host/x&amp;…",
    "https://host/x%23token=SECRET": "https://host/x%23…",
    "//me:SECRET@host/x": "//host/x",
    "https://SECRET@host/x": "https://host/x",
    "https://me:a?SECRET@host/x": "https://…@host/x",
    "ftp://me:SECRET@host/x": "ftp://…@host/x",
    "media/x?X-Amz-Signature=SECRET": "media/x?…",
    "with X-Goog-Signature=SECRET.": "with X-Goog-Signature=….",
    "no https://a/b?SECRET, (http://c#SECRET) and //e;x=SECRET. Why?": "no https://a/b?…, (http://c#…) and //e;…. Why?",
    "['https://a/b?SECRET', 'c/d'] is no list": "['https://a/b?…', 'c/d'] is no list",
    "can't open 'https://a/b?x=1 SECRET' here": "can't open 'https://a/b?…' here",
    "https://a/b?x=1 SECRET": "https://a/b?…",
    "https://a/b?… differs from https://a/c?SECRET now": "https://a/b?… differs from https://a/c?… now",
    r'"https:\/\/a\/b?SECRET"': r'"https:\/\/a\/b?…"',
}


@pytest.mark.parametrize("text", SECRETS)
def test_no_spelling_of_a_link_shows_its_secret(text: str) -> None:
    assert urls.shown(text) == SECRETS[text]
    assert "@" in text or urls.shown(SECRETS[text]) == SECRETS[text], "what is shown already stays"


@pytest.mark.parametrize(
    "text",
    [
        "Ready? Go! https://x/y? Yes; a;b",
        "/data/really?.mov",
        "s3://media@bucket/date=2026-05-01/a;",
        "data:image/png;base64,AAAA",
        "12:30; then: now",
        "C:\\videos\\a#1.mp4",
        "fish & chips = 5",
    ],
)
def test_a_text_without_a_secret_is_shown_as_it_is(text: str) -> None:
    assert urls.shown(text) == text


def test_a_password_with_a_slash_is_not_shown() -> None:
    """As in the secret keys of AWS."""
    assert urls.shown("s3://KEY:sec/ret@bucket/a.mp4") == "s3://…@bucket/a.mp4"
    assert urls.shown(f"s3://KEY:{'long' * 100}@bucket/a.mp4") == "s3://…@bucket/a.mp4"
    assert urls.shown("https://me:sec/ret@example.com/a.mp4") == "https://…@example.com/a.mp4"
    assert urls.shown("s3://media@bucket/a:b@c.mp4") == "s3://media@bucket/a:b@c.mp4"
    assert urls.secrets_in("https://me:sec/ret@example.com/a.mp4") == ("me:sec/ret",)
    assert urls.secrets_in("https://me:secret@example.com/a.mp4?b=c") == ("me:secret", "b=c")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["x://", "x://:", ":", "a:", "@:", "://"])
def test_a_location_of_a_million_characters_is_shown_in_seconds(part: str) -> None:
    assert len(urls.shown("x://" + part * (1_000_000 // len(part)))) < 400


def test_without_media_roots_no_local_file_may_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", "")
    with pytest.raises(ValidationError, match="none is set"):
        inside_media_roots("/etc/passwd")


def test_a_link_is_not_a_matter_of_the_media_roots(roots: Path) -> None:
    assert inside_media_roots("https://example.com/a.mp4") == "https://example.com/a.mp4"


def test_a_run_may_read_object_storage_below_a_media_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", "s3://media@clips/public, gs://bucket")
    for inside in ("s3://media@clips/public/a.mp4", "gs://bucket/any/b.mp4"):
        assert inside_media_roots(inside) == inside


@pytest.mark.parametrize(
    "location",
    [
        "s3://media@clips/private/a.mp4",
        "s3://media@clips/publicity/a.mp4",
        "s3://media@clips/public/../private/a.mp4",
        "s3://media@clips/public/./../private/a.mp4",
        "s3://clips/public/a.mp4",
        "s3://aws_default@clips/public/a.mp4",
        "s3://x@media@clips/public/a.mp4",
        "S3://media@clips/public/a.mp4",
        "s3:///media@clips/public/a.mp4",
        "gs://media@clips/public/a.mp4",
        "simplecache::s3://media@clips/public/a.mp4",
        "s3://media@clips/public/a.zip::file:///etc/passwd",
        "zip://a.mp4::file:///etc/passwd",
        "http://127.0.0.1/a.mp4",
        "HTTP://example.com/a.mp4",
        "data://text/plain,secret",
        "memory://a.mp4",
        "github://org:repo@main/a.mp4",
        "ftp://example.com/a.mp4",
        "s3://media@clips/public/a\n.mp4",
    ],
)
def test_a_run_may_not_read_another_place_of_object_storage_nor_by_another_connection(
    monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", "s3://media@clips/public")
    with pytest.raises(ValidationError):
        inside_media_roots(location)


@pytest.mark.parametrize(
    ("link", "public"),
    [
        ("https://example.com/a.mp4", True),
        ("http://127.0.0.1:8000/a.mp4", True),
        ("http://example.com/a.mp4", False),
        ("https://example.com/ä.mp4", False),
        ("https://example.com/a b.mp4", False),
        ("ftp://example.com/a.mp4", False),
        ("https://[bucket].s3.amazonaws.com/a.mp4", False),
        ("https:/example.com/a.mp4", False),
        ("https:\\\\127.0.0.1/a.mp4", False),
    ],
)
def test_only_what_instagram_can_fetch_is_public(link: str, public: bool) -> None:
    assert urls.is_public_url(link) is public


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize(
    "address", ["https://[bucket].s3.amazonaws.com/a.mp4", "s3://[bucket]/a.mp4", "s3://bucket]/a.mp4", "file://[a]/b"]
)
@pytest.mark.parametrize("upload", ["auto", "file", "url"])
def test_an_address_that_is_none_is_refused_in_our_words(address: str, upload: str) -> None:
    """A user who fills in a template may leave its brackets. Python calls that an "Invalid IPv6 URL"."""
    context = SimulatedCalendar(Path("posts.yaml")).context()
    with pytest.raises(ValidationError, match=r"is not a valid address|a link must be https"):
        CreateContainerOperator(task_id="create", video=address, upload=upload).execute(context)
    with pytest.raises(ValidationError, match="is not a valid address"):
        TranscodeOperator(task_id="transcode", source=address).execute(context)


def test_a_file_that_is_not_on_this_worker_is_said_to_be_so(tmp_path: Path) -> None:
    with (
        pytest.raises(ValidationError, match=r"The file .* does not exist on this worker"),
        storage.as_local_file(str(tmp_path / "x")),
    ):
        pass


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "link"])
def test_what_is_no_regular_file_is_refused_before_anybody_waits_for_it(
    kind: str, linked: bool, tmp_path: Path
) -> None:
    """A pipe to which nobody writes holds whoever opens it; a device never ends."""
    path = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    if linked:
        (tmp_path / "link.mp4").symlink_to(path)
        path = tmp_path / "link.mp4"
    with pytest.raises(ValidationError, match=r"is not a regular file.*Use a video or a picture"):
        CreateContainerOperator(task_id="create", video=str(path)).execute(
            SimulatedCalendar(Path("posts.yaml")).context()
        )


def test_a_kind_of_storage_that_airflow_does_not_know_is_explained() -> None:
    with (
        pytest.raises(ValidationError, match=r"gopher://bucket/a\.mp4"),
        storage.as_local_file("gopher://bucket/a.mp4"),
    ):
        pass


@pytest.mark.parametrize(
    ("allowed", "refusal"), [("False", "not a public address"), ("True", "does not answer|refused|Connect")]
)
def test_a_private_source_is_a_matter_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, allowed: str, refusal: str
) -> None:
    """Nobody listens at that port: where the address is allowed, it is the connection that fails."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PRIVATE_SOURCES", allowed)
    with pytest.raises(InstagramError, match=refusal), storage.as_local_file("https://127.0.0.1:9/video.mp4"):
        pass
