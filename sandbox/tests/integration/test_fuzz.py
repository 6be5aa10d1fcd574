"""Thousands of odd calls, from a seed: none ends in a 500 or a traceback, and the sandbox lives afterwards."""

from __future__ import annotations

import random
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process
from sandbox.tests.integration.conftest import Caller

CALLS = 400
ODD: tuple[Any, ...] = (
    *(
        "",
        " ",
        "0",
        "-1",
        "1e999",
        "9" * 400,
        "null",
        "true",
        "[]",
        "{}",
        "[[[[",
        "\x00",
        "\ud7ff",
        "é",
        "🎉" * 50,
        "%00",
    ),
    *("../../etc/passwd", "http://[::1", "https://127.0.0.1:1/a.mp4", "ids", "{result=a:$.b}", "id,{", "a" * 5000),
    *(0, -1, 2**63, 1.5, True, False, None, [], {}, [None], {"a": {"b": []}}, [["x"]], "NaN", "Infinity"),
)
WORDS = (
    *("media_type", "REELS", "STORIES", "CAROUSEL", "IMAGE", "VIDEO", "caption", "children", "image_url", "video_url"),
    *(
        "creation_id",
        "fields",
        "id,children{id}",
        "metric",
        "views",
        "period",
        "day",
        "message",
        "recipient",
        "hide",
        "limit",
        "after",
    ),
    *("comment_enabled", "batch", "since", "until", "user_tags", "collaborators", "trial_params", "thumb_offset", "q"),
    *("upload_type", "resumable", "is_carousel_item", "location_id", "scope", "grant_type", "code", "client_id"),
    *(
        "breakdown",
        "age,gender",
        "follower_demographics",
        "online_followers",
        "lifetime",
        "subscribed_fields",
        "config_id",
    ),
    *(
        "insights.metric(views){name}",
        "media.limit(1).after(x){id}",
        "business_discovery.username(x){id}",
        "accounts{id}",
    ),
    *("redirect_uri", "input_token", "method", "ids", "metric_type", "total_value", "appsecret_proof", "access_token"),
)
EDGES = (
    *(
        "messages",
        "",
        "media",
        "media_publish",
        "stories",
        "tags",
        "insights",
        "comments",
        "replies",
        "children",
        "collaborators",
    ),
    *("content_publishing_limit", "accounts", "permissions", "search", "nonsense", "media/extra"),
    *("businesses", "owned_pages", "client_pages", "subscribed_apps", "permissions/email"),
)
ROOTS = (
    *("oauth/authorize", "oauth/access_token", "dialog/oauth", "access_token", "refresh_access_token", "debug_token"),
    *("pages/search", "", "ig-api-upload/v27.0/1", "media/1.mp4", "reel/x/", "u/x/", "_static/x"),
)


class Fuzzer:
    """Odd calls from one seed.

    :param sandbox: The sandbox that is called.
    :param seed: Where the calls come from.
    """

    def __init__(self, sandbox: SandboxHandle, seed: int) -> None:
        self.sandbox = sandbox
        self.random = random.Random(seed)  # noqa: S311 -- no secret
        self.http = httpx.Client(base_url=sandbox.url, trust_env=False, timeout=30)
        self.ids = ["me", sandbox.user_id, "17999999999999999", "0", "x"]
        self.ids += [f"{kind}{sandbox.user_id[-13:]}" for kind in ("10", "20", "30")]  # a Page, a person, a portfolio
        self.tokens = [sandbox.token, sandbox.add_token(sandbox.user_id, kind="user"), "EAAnone", "x"]

    def value(self) -> Any:
        """Return something odd, or something known in a place where it may not belong."""
        kind = self.random.random()
        if kind < 0.45:
            return self.random.choice(ODD)
        if kind < 0.7:
            return self.random.choice(WORDS)
        if kind < 0.85:
            return self.random.choice(self.ids)
        return "".join(self.random.choices(string.printable, k=self.random.randint(0, 30)))

    def parameters(self) -> dict[str, Any]:
        """Return some parameters with odd values."""
        return {self.random.choice(WORDS): self.value() for _ in range(self.random.randint(0, 6))}

    def call(self, method: str, path: str) -> httpx.Response:
        """Send one call, with its parameters in one of the encodings."""
        parameters = self.parameters()
        texts = {name: str(value) for name, value in parameters.items()}
        way = self.random.choice(("params", "data", "json", "files", "content"))
        body: Any = {
            "params": texts,
            "data": texts,
            "json": parameters,
            "files": {name: (None, value) for name, value in texts.items()},
            "content": bytes(self.random.choices(range(256), k=50)),
        }[way]
        headers = {
            "Authorization": f"{self.random.choice(('Bearer', 'OAuth', 'Basic'))} {self.random.choice(self.tokens)}"
        }
        if way == "content":
            kinds = ("application/json", "multipart/form-data; boundary=x", "multipart/form-data", "text/html")
            headers["Content-Type"] = self.random.choice(kinds)
        return self.http.request(method, path, headers=headers, **{way: body})

    def graph(self) -> httpx.Response:
        """Call a path of the Graph API, the login, or the pages."""
        method = self.random.choice(("GET", "GET", "POST", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"))
        if self.random.random() < 0.2:
            return self.call(method, f"/{self.random.choice(ROOTS)}")
        version = self.random.choice(("/v27.0", "/v27.0", "/v19.0", "", "/v0.0", "//v27.0"))
        return self.call(method, f"{version}/{self.random.choice(self.ids)}/{self.random.choice(EDGES)}")

    def control(self, spec: dict[str, Any]) -> httpx.Response:
        """Call a control route with a body that its description allows, or nearly so."""
        path = self.random.choice(sorted(set(spec["paths"]) - {"/_sandbox/reset"}))
        method = self.random.choice(sorted(spec["paths"][path]))
        operation = spec["paths"][path][method]
        filled = "/".join(self.random.choice(self.ids) if part.startswith("{") else part for part in path.split("/"))
        body = None
        if "requestBody" in operation:
            body = self.of_schema(operation["requestBody"]["content"]["application/json"]["schema"], spec)
        return self.http.request(method, filled, json=body)

    def of_schema(self, schema: dict[str, Any], spec: dict[str, Any], depth: int = 0) -> Any:
        """Return a value of a JSON schema; now and then, an odd one."""
        if self.random.random() < 0.12 or depth > 4:
            return self.random.choice([one for one in ODD if one not in ("1e999",)])
        if "$ref" in schema:
            return self.of_schema(spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], spec, depth + 1)
        if "anyOf" in schema:
            return self.of_schema(self.random.choice(schema["anyOf"]), spec, depth + 1)
        if "enum" in schema or "const" in schema:
            return self.random.choice(schema.get("enum", [schema.get("const")]))
        if schema.get("type") == "object":
            names = [*schema.get("properties", {}), "unknown"]
            chosen = {*schema.get("required", []), *self.random.sample(names, k=min(len(names), 2))}
            return {
                name: self.of_schema(schema.get("properties", {}).get(name, {}), spec, depth + 1) for name in chosen
            }
        if schema.get("type") == "array":
            return [self.of_schema(schema.get("items", {}), spec, depth + 1) for _ in range(self.random.randint(0, 3))]
        numbers = {"integer": self.random.randint(0, 3), "number": self.random.random() / 10, "boolean": True}
        return numbers.get(schema.get("type", ""), self.value())


@pytest.mark.parametrize("strict", [False, True], ids=["documented", "strict"])
def test_no_call_ends_in_a_traceback(strict: bool, clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with sandbox_process(
        "--processing-time", "0", "--visible-after", "0", "--new-ids-unknown", "0", strict=strict
    ) as sandbox:
        caller = Caller(sandbox)
        media_id = caller.publish(caller.reel(clip)).json()["id"]
        fuzzer = Fuzzer(sandbox, seed=17)
        fuzzer.ids += [media_id, sandbox.add_comment(media_id, "Hello").comment_id, sandbox.containers[0].container_id]
        spec = fuzzer.http.get("/_sandbox/openapi.json").json()
        for number in range(CALLS):
            answer = fuzzer.control(spec) if number % 5 == 4 else fuzzer.graph()
            assert answer.status_code < 500, (answer.request.method, answer.request.url, answer.text[:500])
            if number % 5 == 4:
                fuzzer.http.delete("/_sandbox/faults")  # a planned fault may answer anything
        sandbox.reset()
        assert caller.get("me").status_code == 200
    assert "Traceback" not in capfd.readouterr().err


def test_the_description_names_every_route_and_body(documented: SandboxHandle) -> None:
    spec = httpx.get(f"{documented.url}/_sandbox/openapi.json", trust_env=False).json()
    assert {"/_sandbox/faults", "/_sandbox/comments", "/_sandbox/insights/{media_id}"} <= set(spec["paths"])
    fault = spec["paths"]["/_sandbox/faults"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert fault == {"$ref": "#/components/schemas/Fault"}
    assert "cut_after_bytes" in spec["components"]["schemas"]["Fault"]["properties"]


def test_the_command_is_installed() -> None:
    command = str(Path(sys.executable).with_name("instagram-sandbox"))
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "--strict" in shown
