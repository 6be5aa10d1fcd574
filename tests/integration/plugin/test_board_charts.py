"""What the charts of the results draw: the numbers of their table, at their places, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.plugin.board.routes import FOLDER, STATIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Route

HOME = "http://posts.test/"
PAGE = """<style>:root { --main: #ff0000; --soft: #00ff00; --ink: #000000; --line: #ffffff }</style>
<figure style="width: 600px"></figure>"""
#: The library itself, which the test can ask where a number is.
LIBRARY = """import Plot from "./uplot.mjs?itself";
export default class extends Plot { constructor(...all) { super(...all); window.plot = this; } }"""
DRAW = """async (table) => {
    const { draw } = await import("./charts.js");
    await draw(document.querySelector("figure"), table);
}"""
#: The colour of the picture at a place and a value: red, green, blue and how opaque it is.
COLOUR = """([place, value]) => {
    const { ctx } = window.plot;
    const [x, y] = [window.plot.valToPos(place, "x", true), window.plot.valToPos(value, "y", true)];
    return [...ctx.getImageData(Math.round(x), Math.round(y), 1, 1).data];
}"""
RED = [255, 0, 0, 255]


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(HOME)
        if not name:
            route.fulfill(body=PAGE, content_type="text/html")
            return
        file = FOLDER / name.partition("?")[0]
        body = LIBRARY if name == "uplot.mjs" else file.read_text()
        route.fulfill(body=body, content_type=STATIC[file.suffix[1:]])

    page = browser.new_page()
    page.route("**/*", answer)
    page.goto(HOME)
    yield page
    page.close()


def test_a_curve_has_the_post_beside_the_medians_and_a_gap_where_there_is_no_number(page: Page) -> None:
    rows = [
        ["1h", 20, 30.0, 9, ""],
        ["24h", "refused by Instagram", 60.0, 9, ""],
        ["7d", 90, None, 0, ""],
    ]
    page.evaluate(DRAW, {"name": "curve", "title": "A post", "chart": "curve", "rows": rows})
    assert page.evaluate("window.plot.data") == [
        [0, 1, 2],
        [30.0, 60.0, None],
        [20, None, 90],
    ]
    assert [page.evaluate(COLOUR, at) for at in ([0, 20], [2, 90])] == [RED, RED]
