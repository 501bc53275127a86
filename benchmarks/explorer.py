"""The explorer in headless Chromium: from a key on a slider to each figure drawn anew.

Fifty moves of the weight decay on the diabetes data. A time runs from the key to the frame after
plotly has drawn; the other views wait for the energy curve, so their times contain its own.
"""

import shutil
import statistics
import threading
import time

from playwright.sync_api import Page, sync_playwright

from linscape.explorer.app import listen, warm_up
from linscape.explorer.bundled import bundled
from linscape.explorer.callbacks import Callbacks
from linscape.explorer.settings import RANGES
from linscape.explorer.shelf import Shelf

MOVES = 50
VIEWS = ("energy", "phases", "bifurcation", "values", "descent")
# the last frame of each view after the key; a view may draw more than once
_LISTEN = """names => {
    window.drawn = {};
    document.addEventListener('keydown', () => {
        window.drawn = {};
        window.key = performance.now();
    }, true);
    for (const name of names) {
        const graph = document.querySelector(`#${name}-graph .js-plotly-plot`);
        graph.on('plotly_afterplot', () => requestAnimationFrame(() => {
            window.drawn[name] = performance.now() - window.key;
        }));
    }
}"""


def run(moves: int = MOVES) -> dict[str, float]:
    warm_up()
    server = listen(port=0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with sync_playwright() as playwright:
            path = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"http://127.0.0.1:{server.port}/")
            times = _moved(page, moves)
            browser.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    medians = {f"key to {name} drawn": statistics.median(times[name]) for name in VIEWS}
    return medians | {"of which the server, energy curve": _server(moves)}


def _moved(page: Page, moves: int) -> dict[str, list[float]]:
    """Return the times of every view, in seconds."""
    said = "document.getElementById('descent-summary')?.textContent"
    page.wait_for_function(f"() => /loss/.test({said})")
    page.wait_for_load_state("networkidle")
    page.evaluate(_LISTEN, list(VIEWS))
    page.focus("#decay")
    times: dict[str, list[float]] = {name: [] for name in VIEWS}
    for turn in range(moves + 2):
        # to and fro, so that the phases change on the way
        page.keyboard.press("ArrowLeft" if turn // 12 % 2 else "ArrowRight")
        page.wait_for_function("count => Object.keys(window.drawn).length == count", arg=len(VIEWS))
        page.wait_for_load_state("networkidle")
        if turn > 1:
            for name, milliseconds in page.evaluate("() => window.drawn").items():
                times[name].append(milliseconds / 1e3)
    return times


def _server(moves: int) -> float:
    """Return the median time in which a move is answered, without the way there and back."""
    callbacks = Callbacks(Shelf())
    low, _, step, _ = RANGES["decay"]
    times = []
    for turn in range(moves):
        start = time.perf_counter()
        decay = low + step * (60 + turn % 30)
        callbacks.move("diabetes", bundled("diabetes").targets, 2, 8, 0.2, decay, -0.5, "page")
        times.append(time.perf_counter() - start)
    return statistics.median(times)
