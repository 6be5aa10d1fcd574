"""A calendar in an editor: its language server, as the npm registry has it, with the schema of the package."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.schema import schema_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "node_modules/.bin/yaml-language-server"
#: What VS Code's YAML extension sets, but nothing comes from the network.
SETTINGS = {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}
POST = "posts:\n- id: monday\n  publish_at: 2030-05-06 08:30 UTC\n  video: a.mp4\n"

pytestmark = [pytest.mark.registry, pytest.mark.timeout(60)]


class Editor:
    """Speaks the Language Server Protocol to a server over its standard input and output."""

    def __init__(self, server: subprocess.Popen[bytes], folder: Path) -> None:
        assert server.stdin is not None
        assert server.stdout is not None
        self._written, self._read, self._folder = server.stdin, server.stdout, folder
        self._calls = self._documents = 0
        self._call("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self._send(method="initialized", params={})
        self._send(method="workspace/didChangeConfiguration", params={"settings": {"yaml": SETTINGS}})

    def diagnostics(self, text: str) -> list[tuple[int, str]]:
        """Open a calendar, and return the line and the text of each diagnostic."""
        self._documents += 1
        document = {"uri": self._uri, "languageId": "yaml", "version": 1, "text": text}
        self._send(method="textDocument/didOpen", params={"textDocument": document})
        while (said := self._next()).get("params", {}).get("uri") != self._uri:
            pass
        return [(one["range"]["start"]["line"] + 1, one["message"]) for one in said["params"]["diagnostics"]]

    def completions(self, text: str) -> list[str]:
        """Return what is offered at the sign ``|`` of a calendar."""
        before, _, after = text.partition("|")
        self.diagnostics(before + after)
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        about = {"textDocument": {"uri": self._uri}, "position": position}
        return [item["label"] for item in self._call("textDocument/completion", about)["items"]]

    @property
    def _uri(self) -> str:
        return (self._folder / f"{self._documents}.yaml").as_uri()

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        self._calls += 1
        self._send(id=self._calls, method=method, params=params)
        while (said := self._next()).get("id") != self._calls:
            pass
        return said["result"]

    def _next(self) -> dict[str, Any]:
        """Return the next message, once the requests of the server before it are answered."""
        while True:
            length = 0
            while line := self._read.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name == b"Content-Length" else length
            said: dict[str, Any] = json.loads(self._read.read(length))
            if "method" not in said or "id" not in said:
                return said
            asked = said.get("params", {}).get("items", [])
            self._send(id=said["id"], result=[SETTINGS if one.get("section") == "yaml" else {} for one in asked])

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._written.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._written.flush()


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    (tmp_path / "calendar.schema.json").write_text(schema_text())
    with subprocess.Popen([SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        yield Editor(server, tmp_path)
        server.kill()


def with_schema(text: str) -> str:
    return f"# yaml-language-server: $schema=calendar.schema.json\n{text}"


def test_a_good_calendar_has_no_diagnostics(editor: Editor) -> None:
    assert editor.diagnostics(with_schema((ROOT / "dags/calendars/example.yaml").read_text())) == []


def test_a_wrong_field_and_a_wrong_word_are_marked_at_their_lines(editor: Editor) -> None:
    text = with_schema(f"{POST}  captoin: Hello\n  placement: reel\n  alt_text: A tree\n")
    assert sorted(editor.diagnostics(text)) == [
        (6, "Property captoin is not allowed."),
        (7, "Write reels, feed or story."),
        (8, "A reel does not take alt_text: remove alt_text."),
    ]
    assert editor.diagnostics(text.partition("\n")[2]) == [], "without the first line, the editor knows no calendar"


def test_the_names_of_fields_and_their_words_are_offered(editor: Editor) -> None:
    offered = editor.completions(with_schema(f"{POST}  ca|\n"))
    assert {"caption", "placement", "approval", "first_comment"} <= {*offered}
    assert not {"id", "video"} & {*offered}, "which the post has"
    assert editor.completions(with_schema(f"{POST}  placement: |\n")) == ["reels", "feed", "story"]
    assert "timezone" in editor.completions(with_schema(f"defaults:\n  ti|\n{POST}"))
