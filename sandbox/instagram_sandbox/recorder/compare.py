"""Play a recording against a sandbox, and say where the answers differ: in shape, codes, order and time."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx

from instagram_sandbox.options import DEFAULT_TOKEN, DEFAULT_USER_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from instagram_sandbox.recorder.journal import Recorded

SAME: Final = frozenset(
    {"code", "error_subcode", "status_code", "media_type", "media_product_type", "is_transient"}
)
"""Fields whose values are compared. Of all others, only their type is."""
SLOWER: Final = 5
SLOWER_S: Final = 2.0
_ID: Final = re.compile(r"9\d{16}")
_OF_ACCOUNT: Final = frozenset(
    {"media", "media_publish", "stories", "content_publishing_limit", "tags", "live_media"}
)
_SECRET: Final = frozenset(
    {"oauth", "access_token", "refresh_access_token", "debug_token", "dialog"}
)
_CURSORS: Final = frozenset({"after", "before"})
_SAMPLES: Final = {"video_url": "reel.mp4", "image_url": "picture.jpg", "cover_url": "picture.jpg"}


class Difference(NamedTuple):
    """Where Instagram and the sandbox differ in the answer to a call."""

    call: str
    what: str
    instagram: str
    sandbox: str


@dataclass
class Player:
    """Plays the calls of a recording in order, at the times of the recording by the sandbox's clock.

    An id of the recording becomes the id that the sandbox gave to the same object, and a cursor its
    cursor.

    :param url: The sandbox's base URL.
    """

    url: str
    ids: dict[str, str] = field(default_factory=dict)
    played: int = 0
    skipped: list[str] = field(default_factory=list)

    def differences(self, calls: Sequence[Recorded]) -> Iterator[Difference]:
        """Yield each difference, in the order of the calls."""
        at_s = 0.0
        with httpx.Client(base_url=self.url, timeout=120, trust_env=False) as http:
            tokens = {"graph.instagram.com": DEFAULT_TOKEN, "graph.facebook.com": _page_token(http)}
            for call in calls:
                http.post(
                    "/_sandbox/clock", json={"seconds": max(0.0, call.at_s - at_s)}
                ).raise_for_status()
                at_s = call.at_s
                if why := self._unplayable(call):
                    self.skipped.append(f"{call.number}. {call.method} {call.path}: {why}")
                    continue
                self.played += 1
                if (after_s := _processing_s(call, calls)) is not None:
                    http.post(
                        "/_sandbox/processing", json={"processing": {"after_s": after_s}}
                    ).raise_for_status()
                answer = self._play(http, call, tokens.get(call.host, DEFAULT_TOKEN))
                yield from self._differ(call, answer)

    def _unplayable(self, call: Recorded) -> str:
        parts = [
            part for part in call.path.split("/") if part and not re.fullmatch(r"v\d+\.\d+", part)
        ]
        if call.status is None:
            return "it has no answer"
        if not parts or parts[0] in _SECRET or "code" in call.sent:
            return "batches and exchanges of tokens are not played"
        if call.headers.get("offset", "0") != "0" or "business_discovery" in str(
            call.sent.get("fields")
        ):
            return "it goes on with an upload that broke off, or asks for a foreign account"
        if len(parts) > 1 and parts[1] in _OF_ACCOUNT and _ID.fullmatch(parts[0]):
            self.ids.setdefault(parts[0], DEFAULT_USER_ID)
        named = set(
            _ID.findall(
                call.path + json.dumps({k: v for k, v in call.sent.items() if k not in _SAMPLES})
            )
        )
        return "it names an object from before the recording" if named - self.ids.keys() else ""

    def _play(self, http: httpx.Client, call: Recorded, token: str) -> httpx.Response:
        path = self._here(call.path)
        sent = {name: self._here(value) for name, value in call.sent.items()}
        sent = {name: value for name, value in sent.items() if value != "***"}
        links = [name for name, value in sent.items() if str(value).lower().startswith("http")]
        sent |= {name: f"{self.url}/samples/{_SAMPLES.get(name, 'picture.jpg')}" for name in links}
        if not path.startswith("/ig-api-upload/"):
            headers = (
                {"Authorization": f"Bearer {token}"}
                if call.authorization or "access_token" in call.sent
                else {}
            )
            place = "params" if call.method in {"GET", "HEAD", "DELETE"} else "data"
            texts = {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in sent.items()
            }
            return http.request(call.method, path, headers=headers, **{place: texts})  # type: ignore[arg-type]
        headers = {"Authorization": f"{call.authorization or 'OAuth'} {token}"}
        if "file_url" in call.headers:
            return http.post(path, headers=headers | {"file_url": f"{self.url}/samples/reel.mp4"})
        reel = http.get("/samples/reel.mp4").content
        sizes = {"offset": "0", "file_size": str(len(reel))} if "offset" in call.headers else {}
        return http.post(path, headers=headers | sizes, content=reel)

    def _here(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.ids.get(value) or _ID.sub(
                lambda found: self.ids.get(found[0], found[0]), value
            )
        if isinstance(value, list):
            return [self._here(one) for one in value]
        return (
            {key: self._here(one) for key, one in value.items()}
            if isinstance(value, dict)
            else value
        )

    def _differ(self, call: Recorded, answer: httpx.Response) -> Iterator[Difference]:
        try:
            here = answer.json()
        except ValueError:
            here = None
        query = f"?fields={call.sent['fields']}" if "fields" in call.sent else ""
        name = f"{call.method} {_ID.sub('{id}', call.path)}{query}"
        if call.status != answer.status_code:
            yield Difference(
                name,
                "HTTP status",
                _said(call.status, call.answer),
                _said(answer.status_code, here),
            )
            if answer.is_error != (call.status is not None and call.status >= 400):
                return  # a refusal and an answer have nothing in common
        self._learn(call.answer, here)
        for what, there, found in self._compared("", call.answer, here):
            yield Difference(name, what, there, found)
        took_s = answer.elapsed.total_seconds()
        if call.took_s > max(SLOWER_S, SLOWER * took_s):
            yield Difference(name, "time of the answer", f"{call.took_s:.1f} s", f"{took_s:.1f} s")

    def _learn(self, there: Any, here: Any) -> None:
        """Learn from two answers which ids mean the same object."""
        if isinstance(there, dict) and isinstance(here, dict):
            for name in there.keys() & here.keys():
                self._learn(there[name], here[name])
                if name in _CURSORS and isinstance(there[name], str):
                    self.ids.setdefault(there[name], str(here[name]))
        elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
            known = {*self.ids, *self.ids.values()}
            if not {_id_of(one) for one in (*there, *here)} & known:
                for one, other in zip(there, here, strict=True):
                    self._learn(one, other)
        elif _ID.fullmatch(str(there)) and isinstance(here, str | int):
            self.ids.setdefault(str(there), str(here))

    def _compared(self, at: str, there: Any, here: Any) -> Iterator[tuple[str, str, str]]:
        name = at.rpartition(".")[2]
        if _kind(there) != _kind(here):
            yield f"type of `{at}`" if at else "the answer", _kind(there), _kind(here)
        elif isinstance(there, dict):
            hidden = _paging(there, here)
            for key in sorted(there.keys() | here.keys()):
                inner = f"{at}.{self._key(key)}".lstrip(".")
                if key in there and key in here:
                    yield from self._compared(inner, there[key], here[key])
                elif (
                    self._here(key) not in {self._here(one) for one in there.keys() & here.keys()}
                    and key not in hidden
                ):
                    found, other = (
                        _kind(one[key]) if key in one else "missing" for one in (there, here)
                    )
                    yield f"`{inner}`", found, other
        elif isinstance(there, list):
            yield from self._lists(at, there, here)
        elif (name in SAME or at == "error.type") and there != here:
            yield f"value of `{at}`", json.dumps(there), json.dumps(here)

    def _lists(self, at: str, there: list[Any], here: list[Any]) -> Iterator[tuple[str, str, str]]:
        known = list(
            dict.fromkeys(self.ids[one] for item in there if (one := _id_of(item)) in self.ids)
        )
        found = [one for item in here if (one := _id_of(item)) in known]
        if [one for one in known if one in found] != found:
            place = [str(known.index(one) + 1) for one in found]
            yield (
                f"order of `{at}`",
                ", ".join(map(str, range(1, len(place) + 1))),
                ", ".join(place),
            )
        by_id = {_id_of(item): item for item in here}
        for number, item in enumerate(there):
            other = by_id.get(self.ids.get(_id_of(item), "")) if _id_of(item) else None
            if other is None and not _id_of(item) and number < len(here):
                other = here[number]
            if other is not None:
                yield from self._compared(f"{at}[]", item, other)

    def _key(self, key: str) -> str:
        return "{id}" if _ID.fullmatch(key) else key


def _processing_s(made: Recorded, calls: Sequence[Recorded]) -> float | None:
    """Return how long a container of a video was in progress, which is a switch of the sandbox; None if unknown."""
    made_id = _id_of(made.answer)
    if (
        made.method != "POST"
        or not made.path.endswith("/media")
        or not made_id
        or "image_url" in made.sent
    ):
        return None
    uploads = [
        one
        for one in calls
        if one.path.startswith("/ig-api-upload/") and one.path.endswith(f"/{made_id}")
    ]
    began = max(one.at_s + one.took_s for one in (made, *uploads))
    reads = [
        (one.at_s, one.answer["status_code"])
        for one in calls
        if _id_of(one.answer) == made_id and "status_code" in one.answer
    ]
    finished = [at for at, code in reads if code == "FINISHED"]
    waited = [at for at, code in reads if code == "IN_PROGRESS" and at > began]
    if not finished:
        return None
    return max(0.0, (max(waited) + finished[0]) / 2 - began) if waited else 0.0


def _page_token(http: httpx.Client) -> str:
    made = http.post("/_sandbox/tokens", json={"user_id": DEFAULT_USER_ID, "kind": "page"})
    return str(made.raise_for_status().json()["token"])


def _said(status: int | None, answer: Any) -> str:
    """Return an HTTP status with the code and subcode of its error."""
    error = answer.get("error") if isinstance(answer, dict) else None
    codes = (
        [error[name] for name in ("code", "error_subcode") if name in error]
        if isinstance(error, dict)
        else []
    )
    return f"{status} (error {'/'.join(map(str, codes))})" if codes else str(status)


def _id_of(item: Any) -> str:
    return str(item.get("id", "")) if isinstance(item, dict) else ""


def _paging(there: dict[str, Any], here: dict[str, Any]) -> set[str]:
    """Return the keys of a list's pages, if the lists are not equally long: an account has posts of before."""
    lists = [one.get("data") for one in (there, here)]
    lengths = {len(one) for one in lists if isinstance(one, list)}
    return {"paging", "next", "previous"} if len(lengths) > 1 else set()


def _kind(value: Any) -> str:
    kinds = {
        bool: "boolean",
        int: "number",
        float: "number",
        str: "text",
        list: "list",
        dict: "object",
    }
    return kinds.get(type(value), "null")


def table(found: Iterable[Difference]) -> str:
    """Return the differences as a table in Markdown, each of them once. Others' recordings cannot steer a terminal."""
    rows = [
        f"| `{one.call}` | {one.what} | {one.instagram} | {one.sandbox} |"
        for one in dict.fromkeys(found)
    ]
    rows = [re.sub(r"[^ -~]", "?", row) for row in rows]
    return "\n".join(["| call | what differs | Instagram | sandbox |", "|---|---|---|---|", *rows])
