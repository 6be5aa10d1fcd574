"""``airflow instagram calendar``, as a content person types it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar.file.parser import read_calendar
from airflow_provider_instagram.hooks.instagram import InstagramHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

CALENDAR = """\
min_spacing: 15 min
defaults: {timezone: Europe/Berlin, video: a.mp4, account: berlin}
posts:
  - id: monday
    publish_at: 2030-03-30 18:00
    caption: "Grüße 🎉 aus Berlin"
    tags: [spring, news]
  - {id: sunday, publish_at: 2030-03-31 18:00, approval: required}
  - {id: close, publish_at: 2030-03-31 18:05}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "posts.yaml"
    path.write_text(CALENDAR)
    (tmp_path / "a.mp4").touch()
    return path


def test_a_sheet_at_a_web_address_is_left_to_its_dag(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("calendar", "check", "https://docs.google.com/pub?output=csv&key=SECRET")
    assert code == 2
    assert "Download it, and use calendar import." in out + err
    assert "SECRET" not in out + err


def test_check_names_every_problem_with_its_line_and_ends_with_1(
    run: Callable[..., tuple[int, str, str]], file: Path
) -> None:
    code, out, _ = run("calendar", "check", str(file))
    assert code == 1
    assert out.splitlines()[0].startswith(f"{file}:9: post 'close': it is 5 min after post 'sunday' (line 8)")
    assert out.splitlines()[-1] == "2 posts for berlin; 1 problem."
    assert run("calendar", "check", str(file), "--min-spacing", "5 min")[0] == 0
    (file.parent / "a.mp4").unlink()
    code, out, _ = run("calendar", "check", str(file))
    assert (code, out.count("there is no file")) == (1, 1)
    assert run("calendar", "check", str(file.with_name("none.yaml")))[0] == 2


def test_check_warns_of_more_hashtags_than_instagram_has_announced_and_ends_with_0(
    run: Callable[..., tuple[int, str, str]], file: Path
) -> None:
    file.write_text(
        """\
defaults: {timezone: Europe/Berlin, video: a.mp4, account: berlin}
posts:
  - {id: five, publish_at: 2030-03-30 18:00, caption: "#a #b #c #d #e"}
  - {id: six, publish_at: 2030-03-31 18:00, caption: "#a #b #c #d #e #f"}
"""
    )
    code, out, _ = run("calendar", "check", str(file))
    warned = [line for line in out.splitlines() if "hashtags" in line]
    assert [line.partition(": Warning: ")[::2] for line in warned] == [
        (
            f"{file}:4: post 'six'",
            "The caption has 6 hashtags. Instagram has announced that it allows 5 only. The post is published.",
        )
    ]
    assert (code, out.splitlines()[-1]) == (0, "2 posts for berlin; 0 problems.")


def test_check_says_which_accounts_the_dag_file_has_to_name(
    run: Callable[..., tuple[int, str, str]], file: Path
) -> None:
    """And takes those that it names: what is red in Airflow is red here."""
    assert 'The DAG file must name the accounts: accounts=["berlin"]' in run("calendar", "check", str(file))[1]
    code, out, _ = run("calendar", "check", str(file), "--accounts", "paris, berlin", "--min-spacing", "5 min")
    assert (code, "accounts=" in out) == (0, False)
    code, out, _ = run("calendar", "check", str(file), "--accounts", "paris")
    first, *_, last = out.splitlines()
    assert (code, last) == (1, "0 posts; 2 problems.")
    assert first == (
        f"{file}:2: account is 'berlin'. The DAG may not use this account. Add 'berlin' to accounts=[…] in the "
        "DAG file."
    ), "what the posts share is reported once, beside the two posts that are too close"


FORMATS = """\
min_spacing: 0 s
defaults: {timezone: UTC, account: berlin, first_comment: "#one"}
posts:
  - {id: reel, publish_at: 2030-03-04 10:00, video: https://example.com/a.mp4}
  - {id: picture, publish_at: 2030-03-05 10:00, image: https://example.com/a.jpg, caption: Look}
  - {id: carousel, publish_at: 2030-03-06 10:00, carousel: "https://example.com/a.jpg, https://example.com/b.mp4"}
  - {id: story, publish_at: 2030-03-07 10:00, image: https://example.com/a.jpg, placement: story}
"""


def test_check_names_an_account_that_may_not_comment(
    run: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    instagram_sandbox: SandboxHandle,
    no_stored_tokens: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its posts are good, and a connection whose scopes are not known is not blamed."""
    file = tmp_path / "formats.yaml"
    file.write_text(FORMATS.replace("berlin", "instagram_default"))
    assert run("calendar", "check", str(file))[0] == 0
    manager = InstagramHook("instagram_default").token_manager()
    publishing = ("instagram_business_basic", "instagram_business_content_publish")
    manager.store.save(replace(manager.current_token(), scopes=publishing))
    code, out, _ = run("calendar", "check", str(file))
    assert code == 1
    assert out.startswith(
        f"{file}:4: instagram_default did not grant instagram_business_manage_comments, so its first comments are "
        "not written, and no comments are switched off. The posts themselves are published. Add comments to the field "
        "Scopes"
    )
    assert "4 posts for instagram_default; 1 problem." in out
    manager.store.save(replace(manager.current_token(), scopes=publishing[:1]))
    code, out, _ = run("calendar", "check", str(file))
    assert "did not grant instagram_business_content_publish, needed for publishing. This post and others like" in out


def test_check_says_that_local_pictures_need_a_place_from_which_they_are_fetched(
    run: Callable[..., tuple[int, str, str]], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting belongs to the machines that publish: that it is missing here is no problem of the calendar."""
    file.with_name("front.jpg").touch()
    file.write_text(CALENDAR + "  - {id: picture, publish_at: 2030-04-02 18:00, image: front.jpg, video: null}\n")
    note = f"{file}: 1 post with local pictures, which Instagram fetches by link. [instagram] public_prefix is not set"
    assert note in run("calendar", "check", str(file))[1]
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", "s3://bucket/public")
    assert "public_prefix" not in run("calendar", "check", str(file))[1]
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", "file:///var/www/public")
    code, out, _ = run("calendar", "check", str(file))
    (problem,) = [line for line in out.splitlines() if "public_prefix" in line]
    assert (code, "post 'picture'" in problem) == (1, True)


def test_import_makes_a_calendar_of_a_spreadsheets_export(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    sheet, target = tmp_path / "plan.csv", tmp_path / "plan.yaml"
    sheet.write_bytes(
        "\ufeffTitle;Date;Time;Copy;File;Channel;Owner\r\n"
        'Büro-Tour;24.12.2030;18:00;"Hallo; erste Zeile\nzweite #tag";tour.mp4;;Eva\r\n'
        ";12/25/2030;9:30 pm;Frohes Fest!;fest.mp4;shop;Max\r\n".encode()
    )
    code, _, err = run(
        "calendar", "import", str(sheet), "--output", str(target), "--timezone", "Europe/Berlin", "--account", "studio"
    )
    assert code == 0, err
    assert "Ignored column 'Owner'" in err
    tour, fest = read_calendar(str(target)).posts
    assert (tour.id, tour.account, tour.caption) == ("buero-tour", "studio", "Hallo; erste Zeile\nzweite #tag")
    assert (fest.id, fest.account) == ("2030-12-25-frohes-fest", "shop")
    assert [f"{post.publish_at:%d %H:%M}" for post in (tour, fest)] == ["24 18:00", "25 21:30"]


def test_import_asks_what_an_ambiguous_date_means(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    sheet = tmp_path / "plan.csv"
    sheet.write_text("id,date,time,video\na,3/4/2030,18:00,a.mp4\n")
    code, _, err = run("calendar", "import", str(sheet), "--timezone", "UTC")
    assert code == 2
    assert f"{sheet}:2: '3/4/2030' can be read day first" in err
    assert "--dates day-first" in err
    assert "2030-04-03 18:00" in run("calendar", "import", str(sheet), "--timezone", "UTC", "--dates", "day-first")[1]


def test_import_names_every_row_that_is_no_post_at_once_and_writes_nothing_then(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    sheet, target = tmp_path / "plan.csv", tmp_path / "plan.yaml"
    sheet.write_text(
        'id,date,time,video,caption\na,someday,18:00,a.mp4,"two\nlines"\nb,2030-12-24,,a.mp4,\nc,2030-12-25,9:00,a.mp4,\n'
    )
    code, _, err = run("calendar", "import", str(sheet), "--output", str(target), "--timezone", "UTC")
    assert code == 2
    assert [line.partition(" Write")[0] for line in err.splitlines()] == [
        f"{sheet}:2: 'someday' is not a date.",
        f"{sheet}:4: '2030-12-24' has no time of day.",
        "1 post; 2 problems; nothing was written.",
    ]
    assert not target.exists()


def test_problems_of_an_import_name_the_lines_of_the_sheet(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """Also those that only the calendar's own rules find: the calendar may not even be written."""
    sheet, target = tmp_path / "plan.csv", tmp_path / "plan.yaml"
    sheet.write_text(
        'id,date,time,video,caption\na,2030-12-24,18:00,a.mp4,"two\nlines"\nb,2030-12-25,25:00,a.mp4,\n'
        "c,2030-12-24,18:02,a.mp4,\n"
    )
    code, out, err = run("calendar", "import", str(sheet), "--timezone", "UTC")
    assert (code, "id: b" in out) == (1, True)
    assert [line.partition(":")[2].partition(":")[0] for line in err.splitlines()[:-1]] == ["4", "5"]
    assert f"{sheet}:5: post 'c': it is 2 min after post 'a' (line 2)" in err
    sheet.write_text("date,time,video,campaign\n2030-12-24,18:00,a.mp4,x\nsomeday,18:00,a.mp4,y\n")
    code, _, err = run("calendar", "import", str(sheet), "--timezone", "Nowhere/X", "--output", str(target))
    assert (code, target.exists()) == (2, False)
    assert f"{sheet}: 'Nowhere/X' is not a time zone" in err
    assert str(target) not in err


def test_import_warns_of_ids_that_a_move_would_change(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    sheet = tmp_path / "plan.csv"
    sheet.write_text(
        "title,date,time,video\nA,2030-12-24,18:00,a.mp4\nB,2030-12-25,9:00,a.mp4\nA,2030-12-26,9:00,a.mp4\n"
    )
    code, _, err = run("calendar", "import", str(sheet), "--timezone", "UTC")
    assert code == 0
    assert f"{sheet}: the ids of the posts in line 2, 4 contain their dates" in err
    assert "Add a column id to the sheet." in err


def test_a_file_that_cannot_be_written_is_told_in_a_sentence(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "plan.csv").write_text("title,date,time,video\nA,2030-12-24,18:00,a.mp4\n")
    target = tmp_path / "nowhere" / "posts"
    code, _, err = run("calendar", "import", str(tmp_path / "plan.csv"), "--output", str(target))
    assert code == 2
    assert f"{target} cannot be written: No such file or directory. Check the folder" in err


def test_check_goes_by_the_limits_of_the_accounts_connection_and_says_so(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that cannot be found here has the defaults, and one with a broken number is named."""
    file = tmp_path / "posts.yaml"
    rows = [f"- {{id: p{number}, publish_at: 2030-05-06 10:{number:02}}}\n" for number in range(12)]
    head = "min_spacing: 0 s\ndefaults: {timezone: UTC, account: studio, video: https://example.com/a.mp4}\nposts:\n"
    file.write_text(head + "".join(rows))
    code, out, _ = run("calendar", "check", str(file))
    assert (code, out.count("posts_per_hour is 10")) == (1, 2)
    assert "at most 10 posts an hour and 25 a day (the defaults: there is no connection studio here)" in out

    connection = {"conn_type": "instagram", "password": "IGtoken", "extra": {"posts_per_hour": 50}}
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO", json.dumps(connection))
    code, out, _ = run("calendar", "check", str(file))
    assert code == 0
    assert "studio: at most 50 posts an hour and 25 a day (connection studio)." in out
    assert "IGtoken" not in out

    connection["extra"] = {"posts_per_hour": "many"}
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO", json.dumps(connection))
    assert "(the defaults: posts_per_hour in the connection's extra is 'many'" in run("calendar", "check", str(file))[1]


@pytest.mark.parametrize(("name", "text"), [("plan.csv", "id,publish_at,video\r\n"), ("plan.yaml", "posts:\n")])
def test_check_of_a_calendar_without_posts_ends_with_1(
    name: str, text: str, run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    code, out, _ = run("calendar", "check", str(tmp_path / name))
    assert (code, out.splitlines()[-1]) == (1, "0 posts; 1 problem.")
    assert "the calendar has no posts, so nothing is published. Add posts." in out


def test_import_names_the_option_for_a_zone_that_is_missing(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """A German sheet, as Excel writes it. The zone is asked for in the words of this command."""
    sheet = tmp_path / "plan.csv"
    sheet.write_bytes("\ufeffDatum;Uhrzeit;Title;File\r\n24.12.2030;18:00 Uhr;Größe;größe.mp4\r\n".encode())
    code, out, err = run("calendar", "import", str(sheet))
    assert (code, "publish_at: 2030-12-24 18:00" in out) == (1, True)
    assert "has no time zone. Give --timezone Europe/Berlin, or put the zones into a column timezone." in err
    assert run("calendar", "import", str(sheet), "--timezone", "Europe/Berlin")[0] == 0
    assert "Did you mean Europe/Berlin?" in run("calendar", "import", str(sheet), "--timezone", "Europe/Berln")[2]
