"""Change one post in the text of a YAML or JSON calendar. Every other character of the file stays as it is.

A program that reads and writes the whole file would lay it out anew, so that each edit would change
all lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import yaml

from airflow_provider_instagram.calendar.file.problems import EDIT_THE_FILE, InvalidValue
from airflow_provider_instagram.calendar.file.reader import (
    LOADER,
    STAND_INS,
    SURROGATE_PAIR,
    UNPRINTABLE,
)

#: What stands where an alias is used.
ALIAS: Final = re.compile(r"\s*:\s*\*[^\s,\]}]+")
COMMENT: Final = re.compile(r"(?:^|\s)(#[^\r\n]*)")
SEPARATOR: Final = re.compile(r",\s*")
END_OF_LINE: Final = re.compile(r"\r\n|\r|\n|\Z")
#: A word of a list that needs no quotation marks in any YAML.
WORD: Final = re.compile(r"(?!(?:null|true|false|yes|no|on|off)\b)[A-Za-z][\w-]*", re.IGNORECASE)
STEP: Final = 2
#: The value of a field that is taken out of a post.
GONE: Final = object()
Changes = Mapping[str, Mapping[str, Any]]
#: A new post, and the id of the one that it follows; None if it is the first. A text is what
#: ``remove`` has removed.
NewPost = tuple[str | None, str | Mapping[str, Any]]


class _Splice(NamedTuple):
    """A text that replaces the characters from one place to another."""

    begin: int
    end: int
    text: str


class TreeText:
    """The text of a YAML or JSON calendar, whose posts can be read."""

    def __init__(self, text: str, *, is_json: bool) -> None:
        self._text, self._is_json = text, is_json
        self._newline = "\r\n" if "\r\n" in text else "\n"
        # Only places are read from this copy, so what YAML cannot read is replaced by as many other
        # characters.
        copy = (
            SURROGATE_PAIR.sub(lambda pair: pair[1] + "x" * len(pair[2]), text) if is_json else text
        )
        root = yaml.compose(copy.translate(STAND_INS), Loader=LOADER)
        pairs = root.value if isinstance(root, yaml.MappingNode) else ()
        found = [
            pair
            for pair in pairs
            if isinstance(pair[0], yaml.ScalarNode) and pair[0].value == "posts"
        ]
        if not found:
            raise InvalidValue("the file has no list of posts.", "Write posts: in it.")
        self._key, self._posts = found[0]
        self.items: list[yaml.Node] = (
            self._posts.value if isinstance(self._posts, yaml.SequenceNode) else []
        )
        self._by_id = {
            _id_of(one): one for one in self.items[::-1] if isinstance(one, yaml.MappingNode)
        }
        self._is_block = not (is_json or _is_flow(self._posts))

    def change(self, changes: Changes, new: Sequence[NewPost] = ()) -> str:
        """Return the text with other values of posts, and with new posts."""
        if not self.items and len(new) > 1:  # the first one shows where the others stand
            (after, first), *others = new
            only = TreeText(self._spliced([self._inserted(first, after)]), is_json=self._is_json)
            return only.change(changes, [(_id_of(only.items[0]), post) for _, post in others])
        changed = [
            splice
            for post_id, fields in changes.items()
            for splice in self._changes(post_id, fields)
        ]
        return self._spliced([*changed, *(self._inserted(post, after) for after, post in new)])

    def _changes(self, post_id: str, fields: Mapping[str, Any]) -> Iterable[_Splice]:
        item = self._by_id[post_id]
        own = {
            key.value: (key, value) for key, value in item.value if isinstance(key, yaml.ScalarNode)
        }
        for name in fields.keys() & own.keys():
            is_gone = fields[name] is GONE
            yield (
                self._taken_out(item, *own[name])
                if is_gone
                else self._replaced(item, *own[name], fields[name])
            )
        if new := {
            name: None if value is GONE else value
            for name, value in fields.items()
            if name not in own
        }:
            yield self._added(item, new)

    def remove(self, post_id: str) -> tuple[str, str]:
        """Return the text without a post, and what was removed. A line end at its end is a blank line."""
        item = self._by_id[post_id]
        begin, end = item.start_mark.index, self._end(item)
        if self._is_block:
            begin, end = self._with_comments(item), self._line_end(end)
            after, removed = self._next_line(end), self._text[begin:end]
            if item is self.items[0]:
                is_spaced = len(self.items) > 1 and not self._line(after).strip()
                cut = _Splice(
                    begin, self._next_line(self._line_end(after)) if is_spaced else after, ""
                )
            else:
                is_spaced = self._blank_before(begin)
                cut = _Splice(
                    self._text.rfind("\n", 0, begin - 1) + 1 if is_spaced else begin, after, ""
                )
            return self._spliced([cut]), removed + ("\n" if is_spaced else "")
        at = self.items.index(item)
        if at + 1 < len(self.items):
            cut = _Splice(begin, self.items[at + 1].start_mark.index, "")
        else:
            cut = _Splice(self._end(self.items[at - 1]) if at else begin, end, "")
        return self._spliced([cut]), self._text[begin:end]

    def _inserted(self, post: str | Mapping[str, Any], after: str | None) -> _Splice:
        ids = [_id_of(item) for item in self.items]
        at = -1 if after is None else ids.index(after)
        beside = self.items[max(at, 0)] if ids else None
        written = post if isinstance(post, str) else self._written(post, beside)
        if beside is None:
            return self._as_only(written.rstrip("\n"))
        if self._is_block:
            is_spaced = written.endswith("\n") if isinstance(post, str) else self._is_spaced(beside)
            gap = self._newline * (2 if is_spaced else 1)
            if at < 0:
                place = self._with_comments(beside)
                return _Splice(place, place, written.rstrip("\n") + gap)
            place = self._line_end(self._end(beside))
            return _Splice(place, place, gap + written.rstrip("\n"))
        opening = self._text[self._posts.start_mark.index + 1 : beside.start_mark.index]
        between = (
            self._between(self.items[0], self.items[1]) if len(ids) > 1 else f",{opening or ' '}"
        )
        if at < 0:
            return _Splice(beside.start_mark.index, beside.start_mark.index, written + between)
        return _Splice(self._end(beside), self._end(beside), between + written)

    def _is_spaced(self, item: yaml.Node) -> bool:
        """Return whether a blank line is between a post and those beside it."""
        if item is self.items[-1]:
            return item is not self.items[0] and self._blank_before(self._with_comments(item))
        return not self._line(self._next_line(self._line_end(self._end(item)))).strip()

    def _with_comments(self, item: yaml.Node) -> int:
        """Return where the lines of a post begin, with the comments right above it."""
        begin = self._text.rfind("\n", 0, self._text.rindex("-", 0, item.start_mark.index)) + 1
        while begin and self._line(
            above := self._text.rfind("\n", 0, begin - 1) + 1
        ).lstrip().startswith("#"):
            begin = above
        return begin

    def _blank_before(self, begin: int) -> bool:
        return begin > 0 and not self._line(self._text.rfind("\n", 0, begin - 1) + 1).strip()

    def _line(self, begin: int) -> str:
        return self._text[begin : self._line_end(begin)]

    def _replaced(self, item: yaml.Node, key: yaml.Node, value: yaml.Node, to: Any) -> _Splice:
        colon = self._text.index(":", key.end_mark.index) + 1
        end = self._pair_end(key, value)
        if isinstance(value, yaml.SequenceNode) and self._has_comments(value):
            raise InvalidValue(
                f"the file has comments between the {key.value}, which would be lost.",
                EDIT_THE_FILE,
            )
        if _is_flow(item):
            # right after the colon stands an alias, or nothing
            begin = max(colon, value.start_mark.index)
            return _Splice(begin, end, f"{'' if begin > colon else ' '}{self._flow(to)}")
        # A comment after the value, before a list below the name, or in the head of a text stays in
        # its line.
        last = self._line_end(end)
        begin, style = value.start_mark.index, getattr(value, "style", None)
        head = (
            self._text[colon : self._line_end(begin) if style in ("|", ">") else begin]
            if begin >= colon
            else ""
        )
        comments = [
            found[1] for part in (head, self._text[end:last]) if (found := COMMENT.search(part))
        ]
        return _Splice(
            colon, last, self._block(to, key.start_mark.column, style, "  ".join(comments))
        )

    def _taken_out(self, item: yaml.MappingNode, key: yaml.Node, value: yaml.Node) -> _Splice:
        """Return the splice that takes a field out. A comment after its value stays."""
        at, begin, end = (
            [pair[0] for pair in item.value].index(key),
            key.start_mark.index,
            self._pair_end(key, value),
        )
        if at == 0:
            return _Splice(begin, item.value[1][0].start_mark.index, "")
        if _is_flow(item):
            return _Splice(self._pair_end(*item.value[at - 1]), end, "")
        last = self._line_end(end)
        if found := COMMENT.search(self._text, end, last):
            return _Splice(begin, found.start(1), "")
        return _Splice(
            len(self._text[:begin].rstrip(" ").removesuffix("\n").removesuffix("\r")), last, ""
        )

    def _has_comments(self, node: yaml.SequenceNode) -> bool:
        """Return whether a comment is between the items of a list."""
        begin, gaps = node.start_mark.index, []
        for item in node.value:
            gaps.append(self._text[begin : item.start_mark.index])
            begin = self._end(item)
        gaps.append(self._text[begin : node.end_mark.index] if _is_flow(node) else "")
        return any(map(COMMENT.search, gaps))

    def _added(self, item: yaml.MappingNode, fields: Mapping[str, Any]) -> _Splice:
        first, last = item.value[0], item.value[-1]
        end = self._pair_end(*last)
        if _is_flow(item):
            between = self._between(item.value[-2][1], last[0]) if len(item.value) > 1 else ", "
            return _Splice(end, end, "".join(between + pair for pair in self._flow_pairs(fields)))
        column = first[0].start_mark.column
        lines = [
            f"{self._newline}{' ' * column}{name}:{self._block(value, column)}"
            for name, value in fields.items()
        ]
        return _Splice(self._line_end(end), self._line_end(end), "".join(lines))

    def _written(self, post: Mapping[str, Any], beside: yaml.Node | None) -> str:
        if not self._is_block:
            return self._like(post, beside)
        dash = STEP if beside is None else self._posts.start_mark.column
        column = dash + STEP if beside is None else beside.start_mark.column
        if beside is not None and _is_flow(beside):
            return f"{' ' * dash}- {self._flow(post)}"
        lines = [f"{name}:{self._block(value, column)}" for name, value in post.items()]
        return f"{' ' * dash}-{' ' * (column - dash - 1)}" + f"{self._newline}{' ' * column}".join(
            lines
        )

    def _like(self, post: Mapping[str, Any], beside: yaml.Node | None) -> str:
        """Return an object whose lines are laid out as those of the one beside it."""
        if beside is None or not beside.value:
            return self._flow(post)
        first, last = beside.value[0], beside.value[-1]
        opening = self._text[beside.start_mark.index : first[0].start_mark.index]
        closing = self._text[self._pair_end(*last) : self._end(beside)]
        between = self._between(beside.value[-2][1], last[0]) if len(beside.value) > 1 else ", "
        return opening + between.join(self._flow_pairs(post)) + closing

    def _as_only(self, written: str) -> _Splice:
        """Return the splice for the first post of an empty list."""
        colon = self._text.index(":", self._key.end_mark.index) + 1
        if self._is_block or not self._is_json:
            end = self._line_end(self._posts.end_mark.index if _is_flow(self._posts) else colon)
            return _Splice(
                colon, end, self._newline + (written if written[:1] in " -" else f"  - {written}")
            )
        end = max(colon, self._posts.end_mark.index)
        return _Splice(colon, end, f" [{written}]")

    def _block(self, value: Any, column: int, style: str | None = None, comment: str = "") -> str:
        """Return a value as it follows a colon in a line of YAML, with the lines below it."""
        after = f"  {comment}" if comment else ""
        if value is None:
            return after
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            dash = f"{self._newline}{' ' * column}- "
            return after + "".join(f"{dash}{self._flow(one)}" for one in value)
        if not isinstance(value, str):
            return f" {self._flow(value)}{after}"
        body = value.removesuffix("\n")
        is_literal = (
            "\n" in body
            and body == body.strip()
            and not UNPRINTABLE.search(body)
            and "\r" not in body
        )
        if is_literal and not any(chr(sign) in body for sign in STAND_INS):
            lines = [f"{' ' * (column + STEP)}{line}" if line else "" for line in body.split("\n")]
            return self._newline.join([f" |{'' if body != value else '-'}{after}", *lines])
        if style == "'" and "\n" not in value and not UNPRINTABLE.search(value):
            return " '{}'{}".format(value.replace("'", "''"), after)
        return f" {value if not style and _is_plain(value) else _quoted(value)}{after}"

    def _flow(self, value: Any) -> str:
        """Return a value in one line, as JSON or as YAML with brackets."""
        if value is None:
            return "null"
        if isinstance(value, str):
            return json.dumps(value, ensure_ascii=False) if self._is_json else _quoted(value)
        if isinstance(value, dict):
            return f"{{{', '.join(self._flow_pairs(value))}}}"
        if not isinstance(value, list):
            return json.dumps(value)  # a number, true or false
        return f"[{', '.join(one if self._is_word(one) else self._flow(one) for one in value)}]"

    def _is_word(self, value: Any) -> bool:
        return isinstance(value, str) and not self._is_json and WORD.fullmatch(value) is not None

    def _flow_pairs(self, fields: Mapping[str, Any]) -> list[str]:
        return [
            f"{name if self._is_word(name) else json.dumps(name)}: {self._flow(one)}"
            for name, one in fields.items()
        ]

    def _pair_end(self, key: yaml.Node, value: yaml.Node) -> int:
        """Return where a pair ends: an alias ends at its own place, not at that of its value."""
        if value.start_mark.index < key.end_mark.index:
            alias = ALIAS.match(self._text, key.end_mark.index)
            return alias.end() if alias else int(key.end_mark.index)
        return self._end(value)

    def _end(self, node: yaml.Node) -> int:
        """Return where a node ends, without the blank lines and comments that follow it."""
        if isinstance(node, yaml.ScalarNode) or _is_flow(node) or not node.value:
            begin, end = int(node.start_mark.index), int(node.end_mark.index)
            return begin + len(self._text[begin:end].rstrip()) if end > begin else end
        last = node.value[-1]
        end = self._pair_end(*last) if isinstance(last, tuple) else self._end(last)
        return max(end, int(node.start_mark.index))

    def _between(self, before: yaml.Node, after: yaml.Node) -> str:
        found = SEPARATOR.fullmatch(self._text, self._end(before), after.start_mark.index)
        return found[0] if found else ", "

    def _line_end(self, place: int) -> int:
        found = END_OF_LINE.search(self._text, place)
        return found.start() if found else len(self._text)

    def _next_line(self, end: int) -> int:
        found = END_OF_LINE.match(self._text, end)
        return found.end() if found else end

    def _spliced(self, splices: Iterable[_Splice]) -> str:
        """Return the text with splices. Of two at one place, the first comes first."""
        text, parts, done = self._text, list[str](), 0
        for begin, end, new in sorted(splices, key=lambda splice: splice.begin):
            parts += [text[done:begin], new]
            done = end
        return "".join(parts) + text[done:]


def _is_flow(node: yaml.Node) -> bool:
    return bool(getattr(node, "flow_style", False))


def _id_of(item: yaml.Node) -> str | None:
    pairs = item.value if isinstance(item, yaml.MappingNode) else ()
    return next((str(value.value).strip() for key, value in pairs if key.value == "id"), None)


def _is_plain(value: str) -> bool:
    """Return whether YAML reads a text back that has no quotation marks."""
    if "\n" in value or not value or UNPRINTABLE.search(value):
        return False
    try:
        root = yaml.compose(f"a: {value}\nb: c", Loader=LOADER)
    except yaml.YAMLError:
        return False
    pairs = list(root.value) if isinstance(root, yaml.MappingNode) else []
    read = pairs[0][1] if len(pairs) == 2 else None
    return (
        isinstance(read, yaml.ScalarNode)
        and not read.style
        and read.value == value
        and ":str" in read.tag
    )


def _quoted(value: str) -> str:
    """Return a text in quotation marks, as YAML reads it."""
    return re.sub(
        f"{UNPRINTABLE.pattern}|[\x7f\x85\u2028\u2029\ufeff]",
        lambda sign: f"\\U{ord(sign[0]):08X}",
        json.dumps(value, ensure_ascii=False),
    )
