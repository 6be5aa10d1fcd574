"""The first hour: the samples, the curl commands of the README, and what ``docs/testing/recipes.md`` says is run."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from instagram_sandbox.http.pages import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instagram_sandbox.testing.handle import SandboxHandle

ROOT = Path(__file__).parents[3]
README = (ROOT / "sandbox/README.md").read_text()
RECIPES = (ROOT / "docs/testing/recipes.md").read_text()
DOCKERFILE = (ROOT / "deploy/sandbox.Dockerfile").read_text()
ADDRESS = "http://127.0.0.1:8077"
#: The command that the recipes call is beside this Python.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def recipe(title: str) -> Any:
    """Return the YAML of a recipe."""
    return yaml.safe_load(re.search(rf"^## {title}$.*?```yaml\n(.*?)```", RECIPES, re.DOTALL | re.MULTILINE)[1])  # type: ignore[index]


@pytest.fixture
def port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def shell(script: str, folder: Path) -> str:
    """Run a script as a runner does, and end what it has left running."""
    command = ["bash", "-c", f"set -e\ntrap 'jobs -p | xargs -r kill' EXIT\n{script}"]
    environment = os.environ | {"PATH": PATH}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def image(port: str, *arguments: str) -> Iterator[None]:
    """Run the entry point of the image on another port."""
    entry = re.search(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)
    assert entry is not None
    command = [port if word == "8077" else word for word in yaml.safe_load(entry[1])]
    process = subprocess.Popen([*command, *arguments], env=os.environ | {"PATH": PATH}, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_commands_of_the_readme_end_in_permalinks(documented: SandboxHandle, tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    said = shell("\n".join(blocks).replace(ADDRESS, documented.url), tmp_path)
    links = re.findall(r'"permalink": ?"([^"]+)"', said.replace("\\/", "/"))
    assert [httpx.get(link).status_code for link in links] == [200, 200]
    assert [(post.caption, post.permalink) for post in documented.posts] == list(
        zip(["Hello", "Both"], links, strict=True)
    )
    assert documented.warnings == []


@pytest.mark.parametrize("name", ["reel.mp4", "picture.jpg"])
def test_a_sample_is_served_in_ranges(documented: SandboxHandle, name: str) -> None:
    answer = httpx.get(f"{documented.url}/samples/{name}", headers={"Range": "bytes=0-99"})
    assert (answer.status_code, len(answer.content)) == (206, 100)
    assert answer.headers["Content-Type"] == FILES["samples"][name]


@pytest.mark.parametrize("span", ["garbage", "bytes=5-2", "items=0-1", "bytes=", "bytes=1-2,x"])
def test_a_range_that_is_none_is_ignored(documented: SandboxHandle, span: str) -> None:
    """As RFC 9110 says of a Range that cannot be read: the whole sample is the answer."""
    answer = httpx.get(f"{documented.url}/samples/picture.jpg", headers={"Range": span})
    assert (answer.status_code, answer.content[-2:]) == (200, b"\xff\xd9")


def test_it_warns_without_ffmpeg_and_says_what_is_not_checked(tmp_path: Path, port: str) -> None:
    command = [sys.executable, "-m", "instagram_sandbox", "--port", port]
    process = subprocess.Popen(
        command, env=os.environ | {"PATH": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert "codecs, frame rate, bit rate and sound of videos are not checked" in said
    assert "pictures are neither scaled nor converted to sRGB" in said


def test_the_compose_file_reaches_the_image_by_its_name(port: str) -> None:
    services = recipe("Compose")["services"]
    address = services["tests"]["command"][-1]
    with image(port, *services["sandbox"]["command"]):
        here = address.replace("sandbox:8077", f"127.0.0.1:{port}")
        assert httpx.get(here, headers={"Host": "sandbox:8077"}).json() == {"ok": True}
        refused = httpx.get(here, headers={"Host": "another:8077"})
        assert (refused.status_code, "--allow-host another" in refused.text) == (403, True)


def test_the_steps_of_github_actions_run(port: str, tmp_path: Path) -> None:
    steps = [step["run"] for step in recipe("GitHub Actions")["jobs"]["tests"]["steps"] if "run" in step]
    assert "17841400000000001"[-15:] in shell("\n".join(steps[1:]).replace("8077", port), tmp_path)


def test_the_script_of_gitlab_runs(port: str, tmp_path: Path) -> None:
    script = recipe("GitLab CI")["tests"]["script"]
    assert "17841400000000001"[-15:] in shell("\n".join(script).replace("8077", port), tmp_path)


CLIENTS = {
    "JavaScript": (
        "client.mjs",
        "node",
        """import https, { get, request } from "node:https";
import http from "node:http";
import tls from "node:tls";
const path = "/v27.0/me?access_token=TOKEN";
const link = "https://graph.instagram.com" + path;
const named = { hostname: "graph.instagram.com", path };
const ways = [
  (done) => https.get(link, done), (done) => https.get(new URL(link), done), (done) => https.get(named, done),
  (done) => https.get("https://graph.instagram.com", { path, agent: new https.Agent() }, done),
  (done) => https.get({ host: "Graph.Instagram.com", path }, done), (done) => get(link, done),
  (done) => https.request(link, done).end(), (done) => https.request(new URL(link), done).end(),
  (done) => https.request(link, { method: "GET" }, done).end(), (done) => request(named, done).end(),
  (done) => http.get(link.replace("https", "http"), done), (done) => https.request(link).on("response", done).end(),
];
for (const way of ways) {
  const status = await new Promise((done) => way((answer) => { answer.resume(); done(answer.statusCode); }));
  if (status !== 200) throw new Error(`${way}: ${status}`);
}
const elsewhere = "https://www.instagram.com" + path;
const wrong = await fetch(elsewhere);
const alsoWrong = await new Promise((done) => https.get(elsewhere, (answer) => done(answer.resume())));
if (wrong.status !== 404 || alsoWrong.statusCode !== 404) throw new Error("A wrong host was led here");
await wrong.text();
const refused = await new Promise((done) => tls.connect({ host: "graph.instagram.com", port: 443 }).on("error", done));
if (!refused.message.includes("sandbox")) throw refused;
const answer = await fetch("https://graph.instagram.com/v27.0/me?fields=username&access_token=TOKEN");
console.log(await answer.text());""",
    ),
    "Python": (
        "client.py",
        "python",
        """import asyncio, http.client, json, urllib.request
import aiohttp, httpx, httpx2, requests
address = "https://graph.instagram.com/v27.0/me"
params = {"fields": "username", "access_token": "TOKEN"}
print(httpx.get(address, params=params).text)
assert requests.get(address, params=params).json()["username"] == httpx.get(address, params=params).json()["username"]
with urllib.request.urlopen(f"{address}?access_token=TOKEN") as answer:
    assert json.load(answer)["id"]

async def main():
    async with httpx.AsyncClient() as one, httpx2.AsyncClient() as two:
        for client in (one, two):
            assert (await client.get(address, params=params)).status_code == 200
    async with aiohttp.ClientSession() as session:
        try:
            await session.get(address, params=params)
        except aiohttp.ClientConnectionError as refused:
            assert "sandbox_redirect" in str(refused)
        else:
            raise AssertionError("aiohttp called Meta")
asyncio.run(main())
try:
    http.client.HTTPSConnection("graph.facebook.com").connect()
except OSError as refused:
    assert "sandbox_redirect" in str(refused)
else:
    raise AssertionError("http.client called Meta")
elsewhere = address.replace("graph.", "www.")
for library in (httpx, httpx2, requests):
    assert library.get(address, params=params).json()["username"]
    assert library.get(elsewhere, params=params).status_code == 404""",
    ),
    "PHP": (
        "client.php",
        "php",
        """<?php
$url = 'https://graph.instagram.com/v27.0/me?fields=username&access_token=TOKEN';
echo file_get_contents(sandbox_url($url));""",
    ),
    "Go": (
        "client.go",
        "go",
        """package main

import (
	"fmt"
	"io"
	"net/http"
)

func main() {
	answer, err := http.Get("https://graph.instagram.com/v27.0/me?fields=username&access_token=TOKEN")
	if err != nil {
		panic(err)
	}
	body, _ := io.ReadAll(answer.Body)
	fmt.Println(string(body))
}""",
    ),
}


@pytest.mark.parametrize("language", CLIENTS)
def test_a_client_with_constant_hosts_is_led_here(documented: SandboxHandle, tmp_path: Path, language: str) -> None:
    """What is not installed is not run: its helper is served all the same."""
    name, program, source = CLIENTS[language]
    (tmp_path / name).write_text(source.replace("TOKEN", documented.token))
    commands = re.search(rf"^{language},? for .*?```bash\n(.*?)```", RECIPES, re.DOTALL | re.MULTILINE)
    assert commands is not None
    lines = commands[1].replace(ADDRESS, documented.url).splitlines()
    shell("\n".join(lines if shutil.which(program, path=PATH) else lines[:1]), tmp_path)
    (helper,) = set(FILES["redirects"]) & {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / helper).read_text() == (ROOT / "sandbox/instagram_sandbox/http/redirects" / helper).read_text()
    if shutil.which(program, path=PATH):
        assert "ok" in {entry.outcome for entry in documented.journal("account")}


def test_a_library_that_cannot_be_stopped_is_told_of(tmp_path: Path) -> None:
    """Libraries in C or Rust do not resolve names by Python's sockets."""
    (tmp_path / "pycurl.py").touch()
    helper = ROOT / "sandbox/instagram_sandbox/http/redirects"
    for imports in ("sandbox_redirect, pycurl", "pycurl, sandbox_redirect"):
        done = subprocess.run(
            [sys.executable, "-c", f"import {imports}"],
            env=os.environ | {"PYTHONPATH": f"{tmp_path}:{helper}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "pycurl" in done.stderr
        assert "http://127.0.0.1:8077" in done.stderr
