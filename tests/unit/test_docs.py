"""The pages of the documentation: short, linked, and of the same opinion as the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
#: Those that the site shows, and those that only the repository has.
PAGES: Final = (
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted(page for room in ("benchmarks", "sandbox") for page in (ROOT / room).glob("*.md")),
    *sorted(DOCS.rglob("*.md")),
)
#: About two screens.
LINES: Final = 125


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)[^)\s]*\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_no_page_is_longer_than_two_screens() -> None:
    from docs.tables import without_tables

    shown = {page: without_tables(page.read_text()).partition("```{toctree}")[0] for page in DOCS.rglob("*.md")}
    assert {str(page.relative_to(ROOT)) for page, text in shown.items() if len(text.splitlines()) > LINES} == set()


def listed(page: Path) -> list[Path]:
    """Return the pages that the lists of a page name."""
    trees = re.findall(r"^```{toctree}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    names = [name for tree in trees for name in re.findall(r"^([\w./-]+)$", tree, re.MULTILINE)]
    return [page.parent / f"{name}.md" for name in names]


def test_each_page_is_once_in_a_list_of_pages() -> None:
    pages = sorted(DOCS.rglob("*.md"))
    assert sorted(path for page in pages for path in listed(page)) == [p for p in pages if p != DOCS / "index.md"]


def test_the_sidebar_shows_25_entries_at_most() -> None:
    assert 6 < len(listed(DOCS / "index.md")) <= 25


def test_no_picture_is_older_than_the_page_that_it_shows() -> None:
    from demo.pictures import SHOWN, sources

    shown, now = json.loads(SHOWN.read_text()), sources()
    changed = sorted(file for file in shown.keys() | now.keys() if shown.get(file) != now.get(file))
    assert changed == [], "Take the pictures of docs/images again: make pictures"


def test_each_picture_is_on_a_page() -> None:
    used = {Path(name).name for page in PAGES for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text())}
    assert {file.name for file in (DOCS / "images").iterdir() if file.suffix in {".png", ".svg"}} - used == set()


def test_each_room_is_in_the_list_of_rooms() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \|", text.partition("## Where things are")[2], re.MULTILINE)
    packages = (ROOT / "airflow_provider_instagram", ROOT / "sandbox" / "instagram_sandbox")
    rooms = {path.parent.name for package in packages for path in package.glob("*/__init__.py")}
    assert rooms - set(re.findall(r"`(\w+)`", " ".join(rows))) == set()


def test_each_metric_is_documented_and_each_documented_metric_is_sent() -> None:
    package = ROOT / "airflow_provider_instagram"
    sent = re.compile(r'(?:Stats|stats)\.(incr|timing|gauge)\(\s*"(instagram\.\w+)"')
    kinds = {"incr": "counter", "timing": "timing, ms", "gauge": "gauge"}
    in_code = {(name, kinds[kind]) for path in package.rglob("*.py") for kind, name in sent.findall(path.read_text())}
    assert len(in_code) > 4
    page = (DOCS / "operate/monitoring.md").read_text()
    assert set(re.findall(r"^\| `(instagram\.\w+)` \| ([^|]+) \|", page, re.MULTILINE)) == in_code


def test_each_class_of_errors_has_a_remedy() -> None:
    from airflow_provider_instagram.exceptions import ERRORS

    page = (DOCS / "operate/errors.md").read_text()
    assert [name for name in ERRORS if name != "InstagramError" and f"`{name}`" not in page] == []


def test_the_documented_api_version_is_the_default() -> None:
    from airflow_provider_instagram.graph import API_VERSION

    assert f"{API_VERSION}, the default" in (DOCS / "compatibility.md").read_text()


def test_the_versions_of_the_pages_are_those_that_are_tested() -> None:
    (tested,) = re.findall(r"^apache-airflow==([\d.]+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    (upcoming,) = re.findall(r"^NEXT_AIRFLOW := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    page = (DOCS / "compatibility.md").read_text()
    assert f"{tested}: the whole test suite; {upcoming}: the unit and integration tests" in page
    assert "| Python | 3.10 or newer, as far as Airflow supports it |" in page
    installed = {found for path in PAGES for found in re.findall(r'"apache-airflow==([\d.]+)"', path.read_text())}
    assert installed == {tested}


def test_each_table_is_on_a_page() -> None:
    from docs.tables import TABLES

    text = "".join(page.read_text() for page in DOCS.rglob("*.md"))
    assert set(re.findall(r"<!-- table: ([\w ]+) -->", text)) == set(TABLES)


def test_the_tables_show_what_the_code_has() -> None:
    from docs.tables import TABLES

    assert "| `media_roots` | Folders and object-storage prefixes" in TABLES["settings"]()
    assert "| 9007/2207027, 9007/2207055, 9007 | `NotReadyError` |" in TABLES["error codes"]()
    assert "| `cover_url` | The https address of a JPEG" in TABLES["calendar fields"]()
    assert "## `airflow instagram ledger settle`" in TABLES["commands"]()
    assert "| `RateLimitError` | Too many calls." in TABLES["error classes"]()
    assert "## PublishOperator\n\n`from airflow_provider_instagram.operators import P" in TABLES["operators"]()
    assert "| `retries` |" not in TABLES["operators"]()
    assert TABLES["operators"]().count("| `comment_id` |") == 2  # the constructor of their base class takes it
    assert "### InstagramHook.list_media\n\nRead the account's posts, the newest" in TABLES["reads"]()
    assert "| `lead_time` | `timedelta` | `timedelta(seconds=3600)` | How long before" in TABLES["functions"]()
    assert "| `posts_per_day` | Posts per day |" in TABLES["connection"]()
    assert "| `DELETE /{media}` | `delete` | no | yes | yes | `instagram_manage_contents` |" in TABLES["endpoints"]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_the_tables_and_numbers_of_the_code(page: Path) -> None:
    from docs.tables import filled

    text = page.read_text()
    assert text == filled(text), "Write them again: .venv/bin/python -m docs.tables"


def test_a_table_is_written_once_and_behind_its_comment_only() -> None:
    from docs.tables import filled, without_tables

    text = "A\n\n<!-- table: settings -->\n\nB, not `<!-- table: settings -->`\n\n<!-- table: connection -->\n"
    once = filled(text)
    assert once.count("| `media_roots` |") == 1
    assert filled(once) == once
    assert without_tables(once) == text


def test_the_numbers_in_sentences_are_those_of_the_code() -> None:
    from docs.tables import NUMBER, NUMBERS, filled

    named = [name for page in PAGES for name in NUMBER.findall(page.read_text())]
    assert set(named) == set(NUMBERS)
    assert filled("at most 7<!-- = reel MB --> MB") == "at most 100<!-- = reel MB --> MB"


def test_the_start_page_of_the_site_leads_to_the_newest_version(tmp_path: Path, mocker: MockerFixture) -> None:
    from scripts import docs

    mocker.patch.object(docs, "SITE", tmp_path)
    for name in ("0.2.0", "0.10.0", "0.10.0.dev0"):
        (tmp_path / name).mkdir()
    docs.write_start_page()
    page = (tmp_path / "index.html").read_text()
    assert re.findall(r'href="([^"]+)/"', page) == ["0.10.0", "0.10.0.dev0", "0.2.0"]
    assert 'content="0; url=0.10.0/"' in page


def test_the_words_of_the_site_are_those_that_somebody_wrote(tmp_path: Path) -> None:
    """Bars of tables, arrows and generated tables are no words."""
    from scripts.docs import size

    (tmp_path / "a.md").write_text("# Two words\n\n| three<!-- = reel MB --> | four |\n|---|---|\n\n──▶ `five`\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b.md").write_text("six\n<!-- table: settings -->\nmade by code\n<!-- end of table -->\nseven\n")
    assert size(tmp_path) == (2, 7)


def test_each_page_has_a_markdown_twin_that_llms_txt_lists(tmp_path: Path) -> None:
    from scripts.docs import write_markdown

    write_markdown(tmp_path)
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", (tmp_path / "llms.txt").read_text(), re.MULTILINE)
    twins = [tmp_path / name for _, name in listed]
    assert set(twins) == set(tmp_path.rglob("*.md"))
    assert len(twins) == len(list(DOCS.rglob("*.md"))) == len({heading for heading, _ in listed})
    assert [path for path in twins if not path.read_text().startswith("#")] == []


def test_a_link_of_the_site_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    from scripts.docs import broken_links

    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="b.html#there">1</a><a href="b.html#gone">2</a><a href="c.html">3</a>'
        '<a href="#top">4</a><a href="https://example.com/x">5</a><a href="http://example.com">6</a><img src="d.png">'
    )
    (tmp_path / "b.html").write_text('<h2 id="there">B</h2>')
    assert broken_links(tmp_path) == [
        "a.html: b.html#gone: no such heading",
        "a.html: c.html: no such file",
        "a.html: http://example.com: not an https address",
        "a.html: d.png: no such file",
    ]
