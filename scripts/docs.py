"""``python -m scripts.docs``: build the documentation site, and check its size, its links and its search.

The site of one version is a folder of its own. ``build/docs/index.html`` leads to the newest.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from packaging.version import Version

ROOT: Final = Path(__file__).parents[1]
SITE: Final = ROOT / "build" / "docs"
#: What people type into the search of the site, and the page that they need.
SEARCHES: Final = {
    "rate limit": "operate/limits",
    "double post": "operate/exactly-once",
    "duplicate": "operate/exactly-once",
    "expired token": "operate/tokens",
    "2207026": "operate/errors",
}


#: The size of the site, at most.
PAGES, WORDS = 70, 38_000
#: Tables that ``docs/tables.py`` has written, of which nobody reads all, and comments.
UNCOUNTED: Final = re.compile(
    r"<!-- table: [\w ]+ -->.*?<!-- end of table -->|<!--.*?-->", re.DOTALL
)


class Page(HTMLParser):
    """The links of a page, and what a link can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read the ids and the links of a tag."""
        found = {name: value for name, value in attrs if value}
        if "id" in found:
            self.anchors.add(found["id"])
        for name in ("href", "src"):
            if name in found:
                self.links.append(found[name])


def broken_links(folder: Path) -> list[str]:
    """Return what is wrong with the links of a site, as ``page: link: reason``.

    A link to another site is checked in its form only, because the network is not always there.
    Pages of source code, which Sphinx makes, link back by one name of a module that may have two,
    and files to download may be templates.
    """
    pages = {path: Page(path.read_text()) for path in sorted(folder.rglob("*.html"))}
    return [
        f"{path.relative_to(folder)}: {link}: {reason}"
        for path, page in pages.items()
        if not {"_modules", "_downloads"}.intersection(path.parts)
        for link in dict.fromkeys(page.links)
        if (reason := _reason(link, path, pages))
    ]


def _reason(link: str, path: Path, pages: dict[Path, Page]) -> str | None:
    """Return why a link leads nowhere, or None."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        good = parts.scheme == "data" or (
            parts.scheme == "https" and "." in parts.netloc and " " not in link
        )
        return None if good else "not an https address"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.exists():
        return "no such file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "no such heading"
    return None


def not_found(folder: Path) -> list[str]:
    """Return what the search of a site does not find. Like the site, it lists the pages that have all of the words."""
    from snowballstemmer import stemmer  # type: ignore[import-not-found]  # of Sphinx, which only the site has

    text = (folder / "searchindex.js").read_text()
    index = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    stems = {
        phrase: [stemmer("english").stemWord(word) for word in phrase.split()]
        for phrase in SEARCHES
    }

    def pages(stem: str) -> set[str]:
        """Return the pages with a word. The index has a number instead of a list of one."""
        found = [index[where].get(stem, []) for where in ("terms", "titleterms")]
        numbers = {number for one in found for number in (one if isinstance(one, list) else [one])}
        numbers |= {entry[0] for entry in index["indexentries"].get(stem, [])}
        return {index["docnames"][number] for number in numbers}

    return [
        f"search: {phrase}: does not find {SEARCHES[phrase]}"
        for phrase, words in stems.items()
        if SEARCHES[phrase] not in set.intersection(*map(pages, words))
    ]


def size(folder: Path) -> tuple[int, int]:
    """Return how many pages a folder has, and how many words stand in their sources, without what is generated."""
    texts = [UNCOUNTED.sub("", path.read_text()) for path in folder.rglob("*.md")]
    return len(texts), sum(
        len([word for word in text.split() if re.search(r"\w", word)]) for text in texts
    )


def build(folder: Path) -> bool:
    """Build the site into a folder, and return whether it has no warning."""
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--fresh-env"]
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "sphinx",
        *options,
        "--doctree-dir",
        SITE.with_name("doctrees"),
        ROOT / "docs",
    ]
    return subprocess.run([*command, folder], check=False).returncode == 0


def write_start_page() -> None:
    """Write the page that leads to the newest version that was built, and links to the others."""
    newest, *others = sorted(
        (path.name for path in SITE.iterdir() if path.is_dir()), key=Version, reverse=True
    )
    title = "airflow-provider-instagram"
    links = "".join(
        f'<li><a href="{html.escape(name)}/">{html.escape(name)}</a></li>' for name in others
    )
    SITE.joinpath("index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="0; url={html.escape(newest)}/">'
        f'<title>{title}</title><body style="font-family: sans-serif"><h1>{title}</h1>'
        f'<p><a href="{html.escape(newest)}/">Documentation of {html.escape(newest)}</a></p><ul>{links}</ul>'
    )


def _reading_order(path: Path) -> tuple[Path, bool, str]:
    return path.parent, path.name != "index.md", path.name


def write_markdown(folder: Path) -> None:
    """Write a Markdown twin beside each page, and ``llms.txt``, which lists them for a language model.

    Source of the form: llmstxt.org.
    """
    lines = [
        "# airflow-provider-instagram",
        "",
        "> An Apache Airflow provider that publishes posts on Instagram, on time and exactly once.",
    ]
    section = None
    docs = ROOT / "docs"
    for path in sorted(docs.rglob("*.md"), key=_reading_order):
        name = path.relative_to(docs)
        twin = folder / name
        text = path.read_text()
        if name.stem == "changelog":  # the page includes it
            text = (ROOT / "CHANGELOG.md").read_text().replace("](docs/", "](")
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.write_text(text)
        heading = text.partition("# ")[2].partition("\n")[0]
        if name.parent != section:
            section = name.parent
            lines += ["", f"## {section.name.title() or 'Start here'}", ""]
        lines.append(f"- [{heading}]({name.as_posix()})")
    folder.joinpath("llms.txt").write_text("\n".join(lines) + "\n")


def main() -> int:
    """Build and check the site, and return the exit code."""
    pages, words = size(ROOT / "docs")
    said = f"{pages} pages of {PAGES}, {words:,} words of {WORDS:,}"
    if pages > PAGES or words > WORDS:
        print(
            f"The site is too large: {said}. Merge pages, or say each fact once.", file=sys.stderr
        )
        return 1
    folder = SITE / version("airflow-provider-instagram")
    is_built = build(folder)
    broken = [*broken_links(folder), *not_found(folder)] if is_built else []
    print(*broken, sep="\n", file=sys.stderr)
    if not is_built or broken:
        return 1
    write_markdown(folder)
    write_start_page()
    print(f"{said}. Open {(folder / 'index.html').as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
