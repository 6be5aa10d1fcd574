"""Change posts in the text of a YAML calendar. Every other character of the file stays as it is.

A program that reads and writes the whole file would lay it out anew, so that each edit would change
all lines.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import yaml

from airflow_provider_instagram.calendar.file.problems import EDIT_THE_FILE, InvalidValue
from airflow_provider_instagram.calendar.file.reader import LOADER, STAND_INS, UNPRINTABLE, Pairs
from airflow_provider_instagram.posts.limits import Values

#: What stands where an alias is used.
ALIAS: Final = re.compile(r"\s*:\s*\*[^\s,\]}]+")
COMMENT: Final = re.compile(r"(?:^|\s)(#[^\r\n]*)")
END_OF_LINE: Final = re.compile(r"\r\n|\r|\n|\Z")
#: A word that needs no quotation marks in any YAML.
WORD: Final = re.compile(r"(?!(?:null|true|false|yes|no|on|off)\b)[A-Za-z][\w-]*", re.IGNORECASE)
STEP: Final = 2
#: The value of a field that is taken out of a post.
GONE: Final = object()
Changes = Mapping[str, Values]
#: A new post, and the id of the one that it follows; None if it is the first. A text is what
#: ``remove`` has removed.
NewPost = tuple[str | None, str | Values]


class _Splice(NamedTuple):
    """A text that replaces the characters from one place to another."""

    begin: int
    end: int
    text: str


class TreeText:
    """The text of a YAML calendar, whose posts stand one below the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        # Only places are read from this copy, so what YAML cannot read is replaced by as many other
        # characters.
        root = yaml.compose(text.translate(STAND_INS), Loader=LOADER)
        top = _named(root) if isinstance(root, yaml.MappingNode) else {}
        if "posts" not in top:
            raise InvalidValue("the file has no list of posts.", "Write posts: in it.")
        self._key, self._posts = top["posts"]
        self.items: list[yaml.Node] = []
        if isinstance(self._posts, yaml.SequenceNode):
            self.items = self._posts.value
        if self.items and _is_flow(self._posts):
            raise InvalidValue("the posts stand in brackets.", EDIT_THE_FILE)
        self._by_id = {}
        for item in reversed(self.items):
            if isinstance(item, yaml.MappingNode):
                self._by_id[_id_of(item)] = item

    def change(self, changes: Changes, new: Sequence[NewPost] = ()) -> str:
        """Return the text with other values of posts, and with new posts."""
        splices = list[_Splice]()
        for post_id, fields in changes.items():
            splices += self._changes(self._by_id[post_id], fields)
        if self.items:
            splices += [self._inserted(post, after) for after, post in new]
        elif new:
            splices.append(self._as_only([post for _, post in new]))
        return self._spliced(splices)

    def remove(self, post_id: str) -> tuple[str, str]:
        """Return the text without a post, and what was removed. A line end at its end is a blank line."""
        item = self._by_id[post_id]
        begin = self._with_comments(item)
        end = self._line_end(self._end(item))
        removed = self._text[begin:end]
        after = self._next_line(end)
        if item is self.items[0]:
            is_spaced = len(self.items) > 1 and not self._line(after).strip()
            if is_spaced:
                after = self._next_line(self._line_end(after))
        else:
            is_spaced = self._is_blank_before(begin)
            if is_spaced:
                begin = self._line_begin(begin - 1)
        if is_spaced:
            removed += "\n"
        return self._spliced([_Splice(begin, after, "")]), removed

    def _changes(self, item: yaml.MappingNode, fields: Values) -> Iterator[_Splice]:
        own = _named(item)
        new = dict[str, Any]()
        for name, value in fields.items():
            if name not in own:
                new[name] = None if value is GONE else value
            elif value is GONE:
                yield self._taken_out(item, *own[name])
            else:
                yield self._replaced(item, *own[name], value)
        if new:
            yield self._added(item, new)

    def _inserted(self, post: str | Values, after: str | None) -> _Splice:
        at = -1 if after is None else [_id_of(item) for item in self.items].index(after)
        beside = self.items[max(at, 0)]
        written = post if isinstance(post, str) else self._written(post, beside)
        is_spaced = written.endswith("\n") if isinstance(post, str) else self._is_spaced(beside)
        written = written.rstrip("\n")
        gap = self._newline * (2 if is_spaced else 1)
        if at < 0:
            place = self._with_comments(beside)
            return _Splice(place, place, written + gap)
        place = self._line_end(self._end(beside))
        return _Splice(place, place, gap + written)

    def _as_only(self, posts: Iterable[str | Values]) -> _Splice:
        """Return the splice for the posts of an empty list."""
        texts = [post if isinstance(post, str) else self._written(post, None) for post in posts]
        lines = [self._newline + text.rstrip("\n") for text in texts]
        colon = self._text.index(":", self._key.end_mark.index) + 1
        end = self._posts.end_mark.index if _is_flow(self._posts) else colon
        return _Splice(colon, self._line_end(end), "".join(lines))

    def _is_spaced(self, item: yaml.Node) -> bool:
        """Return whether a blank line is between a post and those beside it."""
        if item is self.items[-1]:
            begin = self._with_comments(item)
            return item is not self.items[0] and self._is_blank_before(begin)
        return not self._line(self._next_line(self._line_end(self._end(item)))).strip()

    def _with_comments(self, item: yaml.Node) -> int:
        """Return where the lines of a post begin, with the comments right above it."""
        begin = self._line_begin(self._text.rindex("-", 0, item.start_mark.index))
        while begin:
            above = self._line_begin(begin - 1)
            if not self._line(above).lstrip().startswith("#"):
                break
            begin = above
        return begin

    def _is_blank_before(self, begin: int) -> bool:
        return begin > 0 and not self._line(self._line_begin(begin - 1)).strip()

    def _replaced(
        self, item: yaml.MappingNode, key: yaml.Node, value: yaml.Node, to: Any
    ) -> _Splice:
        """Return the splice for another value. A comment after it, or below the name, stays in its line."""
        if isinstance(value, yaml.SequenceNode) and self._has_comments(value):
            raise InvalidValue(
                f"the file has comments between the {key.value}, which would be lost.",
                EDIT_THE_FILE,
            )
        colon = self._text.index(":", key.end_mark.index) + 1
        begin = value.start_mark.index
        end = self._pair_end(key, value)
        if _is_flow(item):
            # right after the colon stands an alias, or nothing
            if begin <= colon:
                return _Splice(colon, end, f" {_in_line(to)}")
            return _Splice(begin, end, _in_line(to))
        head = ""
        if begin >= colon:
            is_block_text = getattr(value, "style", None) in ("|", ">")
            head = self._text[colon : self._line_end(begin) if is_block_text else begin]
        last = self._line_end(end)
        found = [COMMENT.search(part) for part in (head, self._text[end:last])]
        comment = "  ".join(one[1] for one in found if one is not None)
        return _Splice(colon, last, self._block(to, key.start_mark.column, comment))

    def _taken_out(self, item: yaml.MappingNode, key: yaml.Node, value: yaml.Node) -> _Splice:
        """Return the splice that takes a field out. A comment after its value stays."""
        at = [pair[0] for pair in item.value].index(key)
        begin = key.start_mark.index
        end = self._pair_end(key, value)
        if at == 0:
            return _Splice(begin, item.value[1][0].start_mark.index, "")
        if _is_flow(item):
            return _Splice(self._pair_end(*item.value[at - 1]), end, "")
        last = self._line_end(end)
        if found := COMMENT.search(self._text, end, last):
            return _Splice(begin, found.start(1), "")
        above = self._text[:begin].rstrip(" ").removesuffix("\n").removesuffix("\r")
        return _Splice(len(above), last, "")

    def _has_comments(self, node: yaml.SequenceNode) -> bool:
        """Return whether a comment is between the items of a list."""
        begin = node.start_mark.index
        for item in node.value:
            if COMMENT.search(self._text[begin : item.start_mark.index]):
                return True
            begin = self._end(item)
        return _is_flow(node) and bool(COMMENT.search(self._text[begin : node.end_mark.index]))

    def _added(self, item: yaml.MappingNode, fields: Values) -> _Splice:
        end = self._pair_end(*item.value[-1])
        if _is_flow(item):
            return _Splice(end, end, "".join(f", {pair}" for pair in _pairs(fields)))
        column = item.value[0][0].start_mark.column
        lines = [self._newline + " " * column + pair for pair in self._lines(fields, column)]
        return _Splice(self._line_end(end), self._line_end(end), "".join(lines))

    def _written(self, post: Values, beside: yaml.Node | None) -> str:
        """Return a new post in the form of the one beside it."""
        dash = STEP
        column = 2 * STEP
        if beside is not None:
            dash = self._posts.start_mark.column
            column = beside.start_mark.column
            if _is_flow(beside):
                return f"{' ' * dash}- {_in_line(post)}"
        head = " " * dash + "-" + " " * (column - dash - 1)
        return head + f"{self._newline}{' ' * column}".join(self._lines(post, column))

    def _lines(self, fields: Values, column: int) -> list[str]:
        return [f"{name}:{self._block(value, column)}" for name, value in fields.items()]

    def _block(self, value: Any, column: int, comment: str = "") -> str:
        """Return a value as it follows a colon in a line of YAML, with the lines below it."""
        after = f"  {comment}" if comment else ""
        if value is None:
            return after
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            dash = f"{self._newline}{' ' * column}- "
            return after + "".join(dash + _in_line(one) for one in value)
        if not isinstance(value, str):
            return f" {_in_line(value)}{after}"
        body = value.removesuffix("\n")
        if _is_literal(body):
            mark = "|-" if body == value else "|"
            indent = " " * (column + STEP)
            lines = [indent + line if line else "" for line in body.split("\n")]
            return self._newline.join([f" {mark}{after}", *lines])
        return f" {value if _is_plain(value) else _quoted(value)}{after}"

    def _pair_end(self, key: yaml.Node, value: yaml.Node) -> int:
        """Return where a pair ends: an alias ends at its own place, not at that of its value."""
        if value.start_mark.index < key.end_mark.index:
            alias = ALIAS.match(self._text, key.end_mark.index)
            return alias.end() if alias else int(key.end_mark.index)
        return self._end(value)

    def _end(self, node: yaml.Node) -> int:
        """Return where a node ends, without the blank lines and comments that follow it."""
        begin = int(node.start_mark.index)
        end = int(node.end_mark.index)
        if node.value and isinstance(node, yaml.CollectionNode) and not _is_flow(node):
            last = node.value[-1]
            if isinstance(last, tuple):
                return self._pair_end(*last)
            if last.start_mark.index > begin:  # else, it is an alias
                return self._end(last)
        return begin + len(self._text[begin:end].rstrip())

    def _line(self, begin: int) -> str:
        return self._text[begin : self._line_end(begin)]

    def _line_begin(self, place: int) -> int:
        return self._text.rfind("\n", 0, place) + 1

    def _line_end(self, place: int) -> int:
        found = END_OF_LINE.search(self._text, place)
        return found.start() if found else len(self._text)

    def _next_line(self, end: int) -> int:
        found = END_OF_LINE.match(self._text, end)
        return found.end() if found else end

    def _spliced(self, splices: Iterable[_Splice]) -> str:
        """Return the text with splices. Of two at one place, the first comes first."""
        parts = list[str]()
        done = 0
        for begin, end, new in sorted(splices, key=lambda splice: splice.begin):
            parts += [self._text[done:begin], new]
            done = end
        return "".join(parts) + self._text[done:]


def _is_flow(node: yaml.Node) -> bool:
    return bool(getattr(node, "flow_style", False))


def _named(node: yaml.MappingNode) -> Pairs:
    """Return the pairs of an object by their names."""
    return {pair[0].value: pair for pair in node.value if isinstance(pair[0], yaml.ScalarNode)}


def _id_of(item: yaml.Node) -> str | None:
    if isinstance(item, yaml.MappingNode):
        for key, value in item.value:
            if key.value == "id":
                return str(value.value).strip()
    return None


def _is_literal(body: str) -> bool:
    """Return whether a text can stand as lines of its own."""
    if "\n" not in body or "\r" in body or body != body.strip():
        return False
    return not UNPRINTABLE.search(body) and not any(chr(sign) in body for sign in STAND_INS)


def _is_plain(value: str) -> bool:
    """Return whether YAML reads a text back that has no quotation marks."""
    written = yaml.safe_dump(value, allow_unicode=True, width=math.inf)
    return "\n" not in value and written[0] not in "\"'"


def _in_line(value: Any) -> str:
    """Return a value in one line: a list and an object with brackets."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(_pairs(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_word_or_value, value))}]"
    return json.dumps(value)  # a number, true, false or null


def _pairs(fields: Values) -> list[str]:
    return [f"{_word_or_value(name)}: {_in_line(value)}" for name, value in fields.items()]


def _word_or_value(value: Any) -> str:
    if isinstance(value, str) and WORD.fullmatch(value):
        return value
    return _in_line(value)


def _quoted(value: str) -> str:
    """Return a text in quotation marks, as YAML reads it."""
    return re.sub(
        f"{UNPRINTABLE.pattern}|[\x7f\x85\u2028\u2029\ufeff]",
        lambda sign: f"\\U{ord(sign[0]):08X}",
        json.dumps(value, ensure_ascii=False),
    )
