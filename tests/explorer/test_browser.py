"""The page in a real browser: what a person does, what they see, and what they must never see."""

import importlib
import os
import re
import shutil
import threading
from urllib.parse import urlsplit

import pytest

from linscape.explorer.app import listen

REQUIRED = os.environ.get("LINSCAPE_REQUIRE_BROWSER") == "1"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
VIEWS = ("energy", "phases", "descent", "bifurcation", "values")

if not REQUIRED:
    if CHROMIUM is None:
        pytest.skip(
            "no chromium on this machine (Debian: apt-get install chromium); "
            "LINSCAPE_REQUIRE_BROWSER=1 makes that a failure",
            allow_module_level=True,
        )
    pytest.importorskip("playwright", reason='no playwright: pip install "linscape[test]"')
sync_api = importlib.import_module("playwright.sync_api")


@pytest.fixture(scope="module")
def url():
    server = listen(port=0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def context():
    """One context for all pages: what one has loaded the next need not."""
    assert CHROMIUM, "LINSCAPE_REQUIRE_BROWSER=1, and no chromium is installed"
    with sync_api.sync_playwright() as playwright:
        # no sandbox: it does not start as root, and the only page is ours
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched.new_context(permissions=["clipboard-read", "clipboard-write"])
        launched.close()


class Visit:
    """A page opened on the explorer, which hears everything the browser says."""

    def __init__(self, context, url, viewport=WIDE, system="light"):
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.set_viewport_size(viewport)
        self.page.emulate_media(color_scheme=system)
        self.url = url
        self.complaints, self.requests = [], []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.shows("descent-summary", "loss")
        self.shows("values-summary", "critical value")

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def text(self, name):
        return self.page.locator(f"#{name}").inner_text()

    def shows(self, name, pattern):
        """Wait until a part of the page matches."""
        said = "document.getElementById(name)?.textContent"  # of what is folded away, too
        self.until(f"([name, pattern]) => new RegExp(pattern).test({said})", [name, pattern])

    def changes(self, name, before):
        """Wait until a part of the page says something else."""
        said = "document.getElementById(name).innerText"
        self.until(f"([name, before]) => {said} != before", [name, before])

    def until(self, script, argument=None):
        """Wait until a function is true; a function, for the page may not evaluate text."""
        self.page.wait_for_function(script, arg=argument)

    def trace(self, view, index):
        """What a trace of a figure holds, as plotly has it."""
        script = (
            "([id, k]) => { const t = document.querySelector(`#${id} .js-plotly-plot`).data[k];"
        )
        script += " return [Array.from(t.x), Array.from(t.y)] }"
        return self.page.evaluate(script, [f"{view}-graph", index])

    def choose(self, group, value):
        self.page.locator(f"#{group} input[value='{value}']").check()

    def fits(self):
        widths = "[document.documentElement.scrollWidth, window.innerWidth]"
        needed, there = self.page.evaluate(widths)
        return needed <= there


@pytest.fixture
def visit(context, url):
    """Open a page; what must never happen is looked at in the end."""
    visits = []

    def opened(**options):
        visits.append(Visit(context, url, **options))
        return visits[-1]

    yield opened
    for one in visits:
        one.page.wait_for_load_state("networkidle")
        one.page.close()
        here = urlsplit(url).netloc
        assert {urlsplit(address).netloc for address in one.requests} == {here}
        assert one.complaints == []


def test_sliders_move_every_view_by_keyboard(visit):
    one = visit()
    for name in VIEWS:
        assert one.page.locator(f"#{name}-graph .main-svg").first.is_visible()
    before = {name: one.text(f"{name}-summary") for name in ("energy", "descent")}
    marker = one.trace("phases", 1)
    one.page.get_by_label("Weight decay").focus()
    one.page.keyboard.press("ArrowRight")
    one.shows("decay-reading", "^0.2239$")
    one.changes("energy-summary", before["energy"])
    one.changes("descent-summary", before["descent"])
    script = "x => document.querySelector('#phases-graph .js-plotly-plot').data[1].x[0] != x"
    one.until(script, marker[0][0])
    # four digits of γ
    assert one.trace("phases", 1)[0][0] == pytest.approx(marker[0][0] + 0.05, abs=1e-3)
    one.page.keyboard.press("End")
    one.shows("verdict", "^collapsed")
    one.shows("energy-summary", "zero is the only solution")
    assert one.trace("energy", 3) == [[], []]
    one.page.get_by_label("Hidden layers").focus()
    one.page.keyboard.press("Home")
    one.shows("verdict", "D = 1 hidden layer ")
    one.page.get_by_label("Dropout rate").focus()
    one.page.keyboard.press("End")
    one.shows("dropout-reading", "0.9")
    one.page.get_by_label("Width of each").focus()
    one.page.keyboard.press("Home")
    one.shows("verdict", "τ = 10 ")


def test_a_fast_hand_leaves_every_view_where_it_stopped(visit):
    one = visit()
    one.page.get_by_label("Weight decay").focus()
    for _ in range(20):
        one.page.keyboard.press("ArrowLeft")
    one.shows("decay-reading", "^0.01995$")
    for view in ("energy", "phases", "bifurcation", "descent"):
        one.shows(f"{view}-code", "weight_decay=0.01995\\)")


def test_everything_can_be_reached_by_the_tabulator(visit):
    one = visit()
    names = set()
    for _ in range(60):
        one.page.keyboard.press("Tab")
        script = "(e => e.id || e.value || e.innerText)(document.activeElement)"
        names.add(one.page.evaluate(script))
    wanted = {"depth", "width", "dropout", "decay", "gain", "play", "upload-button", "Theory"}
    assert wanted <= names
    assert "Python" in names


def test_extremes_of_every_slider_are_drawn_or_explained(visit):
    one = visit()
    for key in ("Home", "End"):
        for name in ("depth", "width", "dropout", "decay", "gain"):
            before = one.text(f"{name}-reading")
            one.page.locator(f"#{name}").focus()
            one.page.keyboard.press(key)
            one.changes(f"{name}-reading", before)
        one.page.wait_for_load_state("networkidle")
        for view in VIEWS:
            assert one.text(f"{view}-summary")
            assert "went wrong" not in one.text(f"{view}-summary")


def test_a_click_on_the_phase_diagram_moves_there(visit):
    one = visit()
    plot = one.page.locator("#phases-graph .nsewdrag")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    place = {"x": 0.9 * box["width"], "y": 0.05 * box["height"]}
    plot.click(position=place)
    one.shows("depth-reading", "^6$")
    one.shows("verdict", "^collapsed")
    decay = float(one.page.locator("#decay").input_value())
    assert abs(decay - (-4.02 + 0.9 * 5.04)) < 0.06  # a cell and a pixel
    one.choose("upwards", "dropout")
    title = "document.querySelector('#phases-graph .ytitle').textContent"
    one.until(f"() => {title} == 'dropout rate'")
    plot.click(position={"x": 0.2 * box["width"], "y": 0.5 * box["height"]})
    one.shows("dropout-reading", "^0.4[46]$")
    one.shows("verdict", "^learning")


def test_data_sets_open_on_what_they_show(visit):
    one = visit()
    one.choose("dataset", "two scales")
    one.shows("energy-summary", "2 minima beside zero")
    assert len(one.trace("energy", 2)[0]) == 3
    one.choose("dataset", "staircase")
    one.shows("descent-summary", "numbers of modes: 0, 1, 2, 3")
    one.shows("energy-summary", "choose one target")
    assert not one.page.locator("#energy-graph .main-svg").first.is_visible()
    one.page.locator("summary", has_text="Target:").click()
    for name in ("y2", "y3"):
        one.page.get_by_label(name, exact=True).uncheck()
    one.shows("energy-summary", "beside zero")
    one.page.get_by_label("y1", exact=True).uncheck()
    one.shows("verdict", "choose between 1 and")
    one.shows("energy-summary", "Nothing to draw")
    one.choose("dataset", "textbook")
    one.shows("values-summary", "2 critical values")


def test_a_descent_is_played(visit):
    one = visit()
    whole = one.trace("descent", 2)
    one.page.get_by_role("button", name="Play").click()
    script = "document.querySelector('#descent-graph .js-plotly-plot').data[3].x.length"
    one.until(f"() => {script} > 1")
    first = one.page.evaluate(script)
    one.until(f"() => {script} > {first}")
    one.until(f"() => {script} == {len(whole[0])}")
    assert one.trace("descent", 3) == whole


def test_an_upload_becomes_the_data(visit):
    one = visit()
    rows = "".join(f"{k},{(7 * k) % 11},{3 * k + (7 * k) % 11}\n" for k in range(50))
    file = {"name": "mine.csv", "mimeType": "text/csv", "buffer": f"a,b,c\n{rows}".encode()}
    one.page.set_input_files("#upload input", files=[file])
    one.shows("upload-note", "mine.csv: 50 rows, 3 columns")
    one.shows("target-names", "^c$")
    one.page.locator("#energy-card summary", has_text="Python").click()
    one.shows("energy-code", "read_moments\\('mine.csv', target='c'\\)")
    one.choose("dataset", "diabetes")
    one.shows("target-names", "^progression$")
    one.page.get_by_label("mine.csv").check()
    one.shows("target-names", "^c$")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv", b"\x00\xff\x89PNG", "Not read: .*x.csv"),
        ("x.csv", b"a,b\n1,2\n3,\n", "Not read: expected no missing entries"),
        ("x.csv", b"1,2\n" * 3_300_000, "Not read: the file is too large, at most 12 MB"),
    ],
    ids=["garbage", "gaps", "too large"],
)
def test_an_upload_that_is_no_table_is_said(visit, tmp_path, name, content, said):
    one = visit()
    file = tmp_path / name
    file.write_bytes(content)
    before = one.text("energy-summary")
    one.page.set_input_files("#upload input", files=[file])
    one.shows("upload-note", said)
    assert "/tmp" not in one.text("upload-note")
    assert one.text("energy-summary") == before
    good = tmp_path / "good.csv"
    good.write_text("a,b\n1,2\n3,5\n4,4\n")
    one.page.set_input_files("#upload input", files=[good])
    one.shows("upload-note", "good.csv: 3 rows, 2 columns")


def test_the_python_can_be_copied(visit):
    one = visit()
    one.page.locator("#phases-card summary", has_text="Python").click()
    one.page.locator("#phases-card").get_by_role("button", name="Copy").press("Enter")
    one.until("() => navigator.clipboard.readText().then(text => text.length > 0)")
    copied = one.page.evaluate("navigator.clipboard.readText()")
    assert copied.split() == one.text("phases-code").split()
    assert "ls.phase_diagram(moments" in copied


def test_a_phone_needs_no_sideways_scrolling(visit):
    one = visit(viewport=NARROW)
    assert one.fits()
    for summary in one.page.locator("summary").all():
        summary.click()
    assert one.fits()
    sizes = one.page.locator("p, label, summary, small").evaluate_all(
        "parts => parts.map(part => parseFloat(getComputedStyle(part).fontSize))"
    )
    assert min(sizes) >= 12


def test_the_first_screen_holds_controls_and_both_maps(visit):
    one = visit()
    for part in ("verdict", "energy-card", "phases-card", "gain", "upload-button"):
        box = one.page.locator(f"#{part}").bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= WIDE["height"]


def contrast(one, selector, attribute):
    """Contrast of a part's colour against the card it lies on, by the rule of WCAG."""
    script = """([selector, attribute]) => [selector, '.card'].map((s, k) =>
        getComputedStyle(document.querySelector(s))[k ? 'backgroundColor' : attribute])"""
    colours = one.page.evaluate(script, [selector, attribute])
    lights = []
    for colour in colours:
        channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("system", ["light", "dark"])
def test_themes_follow_the_system_and_the_switch(visit, system):
    one = visit(system=system)
    paper = "getComputedStyle(document.body).backgroundColor"
    shown = {}
    for theme in ("light", "dark", "auto"):
        one.choose("theme", theme)
        shown[theme] = one.page.evaluate(paper)
        # text at 4.5, lines at 3: the levels of WCAG AA
        assert contrast(one, ".summary", "color") >= 4.5
        assert contrast(one, "#energy-graph .xtick text", "fill") >= 4.5
        assert contrast(one, "#energy-graph .xtitle", "fill") >= 4.5
        assert contrast(one, "#energy-graph .scatterlayer .trace .js-line", "stroke") >= 3
    assert shown["light"] != shown["dark"]
    assert shown["auto"] == shown[system]
