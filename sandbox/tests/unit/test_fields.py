"""The grammar of the parameter ``fields``. The answers are written by hand, from Meta's page Field Expansion."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from instagram_sandbox.http.fields import Field, parse, written
from instagram_sandbox.simulator.errors import GraphError

Tree: TypeAlias = dict[str, Any]


def tree(fields: tuple[Field, ...]) -> Tree:
    """Return what is asked for: each field by its name in the answer, with its modifiers and its fields."""
    return {one.key: dict(one.arguments) | ({"{}": tree(one.inner)} if one.inner else {}) for one in fields}


TABLE: list[tuple[str, Tree]] = [
    ("", {}),
    ("id", {"id": {}}),
    ("id,caption", {"id": {}, "caption": {}}),
    (" id , caption ", {"id": {}, "caption": {}}),
    ("id,", {"id": {}}),
    (",id,,caption", {"id": {}, "caption": {}}),
    ("media_url", {"media_url": {}}),
    ("owner{username}", {"owner": {"{}": {"username": {}}}}),
    ("owner {username}", {"owner": {"{}": {"username": {}}}}),
    ("owner{username},id", {"owner": {"{}": {"username": {}}}, "id": {}}),
    ("media.limit(2)", {"media": {"limit": "2"}}),
    ("media.limit( 2 )", {"media": {"limit": "2"}}),
    ("media.limit(2){id}", {"media": {"limit": "2", "{}": {"id": {}}}}),
    ("comments.limit(1){text}", {"comments": {"limit": "1", "{}": {"text": {}}}}),
    ("comments.limit(1).fields(text)", {"comments": {"limit": "1", "{}": {"text": {}}}}),
    ("comments.fields(text).limit(1)", {"comments": {"limit": "1", "{}": {"text": {}}}}),
    ("media.limit(2).fields(id,caption)", {"media": {"limit": "2", "{}": {"id": {}, "caption": {}}}}),
    ("media.fields(id, caption)", {"media": {"{}": {"id": {}, "caption": {}}}}),
    ("media.limit(1).after(QVF-x_){id}", {"media": {"limit": "1", "after": "QVF-x_", "{}": {"id": {}}}}),
    ("media.since(2026-11-01).until(2026-11-30)", {"media": {"since": "2026-11-01", "until": "2026-11-30"}}),
    ("insights.metric(views,reach)", {"insights": {"metric": "views,reach"}}),
    ('insights.metric(["views","reach"])', {"insights": {"metric": '["views","reach"]'}}),
    ("insights.metric(views){name,values}", {"insights": {"metric": "views", "{}": {"name": {}, "values": {}}}}),
    ("business_discovery.username(a.b_c){id}", {"business_discovery": {"username": "a.b_c", "{}": {"id": {}}}}),
    (
        "business_discovery.fields(id,media.limit(1){caption}).username(a)",
        {"business_discovery": {"username": "a", "{}": {"id": {}, "media": {"limit": "1", "{}": {"caption": {}}}}}},
    ),
    (
        "media.fields(comments.limit(2).fields(text,replies{text}))",
        {"media": {"{}": {"comments": {"limit": "2", "{}": {"text": {}, "replies": {"{}": {"text": {}}}}}}}},
    ),
    ("a{b{c}}", {"a": {"{}": {"b": {"{}": {"c": {}}}}}}),
    ("media.as(posts)", {"posts": {}}),
    ("media.limit(1).as(newest){id},media", {"newest": {"limit": "1", "{}": {"id": {}}}, "media": {}}),
    ("picture.type(large)", {"picture": {"type": "large"}}),
    ("a.b((c))", {"a": {"b": "(c)"}}),
    ("owner{}", {"owner": {}}),
    ("2nd_field", {"2nd_field": {}}),
]


@pytest.mark.parametrize(("text", "asked"), TABLE)
def test_what_fields_ask_for(text: str, asked: Tree) -> None:
    assert tree(parse(text)) == asked
    assert tree(parse(written(parse(text)))) == asked, "a link to the next page asks for the same"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # captured by authors of clients
        ("*****", 'Syntax error "Expected name." at character 0: *****'),
        (
            "id,name,picture,picture",
            (
                'Syntax error "Field picture specified more than once. This is only possible before version 2.1" at '
                "character 23: id,name,picture,picture"
            ),
        ),
        (
            "third_party_id?access_token=A",
            'Syntax error "Expected end of string instead of "?"." at character 14: third_party_id?access_token=A',
        ),
        ("app_,0.79access,x", 'Syntax error "Expected "(" instead of ","." at character 15: app_,0.79access,x'),
        ("media{id}.limit(1)", 'Syntax error "Expected end of string instead of "."." at character 9: media{id}.limit'),
        # by the same grammar
        ("id}", 'Syntax error "Expected end of string instead of "}"." at character 2: id}'),
        ("id caption", 'Syntax error "Expected end of string instead of "c"." at character 3: id caption'),
        ("{id}", 'Syntax error "Expected name." at character 0: {id}'),
        ("media{id", 'Syntax error "Expected "}"." at character 8: media{id'),
        ("media{id;caption}", 'Syntax error "Expected "}" instead of ";"." at character 8: media{id;caption}'),
        ("media{", 'Syntax error "Expected name." at character 6: media{'),
        ("media.limit", 'Syntax error "Expected "("." at character 11: media.limit'),
        ("media.limit(2", 'Syntax error "Expected ")"." at character 13: media.limit(2'),
        ("media.(2)", 'Syntax error "Expected name." at character 6: media.(2)'),
        ("media.", 'Syntax error "Expected name." at character 6: media.'),
        ("media.fields(id", 'Syntax error "Expected ")"." at character 15: media.fields(id'),
        ("media.fields(id){caption}", 'Syntax error "Expected end of string instead of "{"." at character 16: '),
        ("media.limit(1).limit(2)", 'Syntax error "Modifier limit specified more than once" at character 21: '),
        ("id,id", 'Syntax error "Field id specified more than once. '),
        ("media{id,id}", 'Syntax error "Field id specified more than once. '),
        ("a{b{c{d{e{f{g{h}}}}}}}", "The parameter fields is nested more than 6 times"),
    ],
)  # fmt: skip
def test_what_breaks_the_grammar_is_refused_in_metas_words(text: str, message: str) -> None:
    with pytest.raises(GraphError) as refused:
        parse(text)
    assert refused.value.code == 2500
    assert str(refused.value).startswith(message)
