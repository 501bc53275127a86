"""A scene from settings by name, and a run of the Python that a view shows."""

import pytest

from linscape.explorer.bundled import bundled
from linscape.explorer.settings import RANGES, Scene, Settings


@pytest.fixture
def scene():
    """Return a function that makes a scene of a table, sliders at their start unless given."""

    def make(table="diabetes", targets=None, **positions):
        found = bundled(table) if isinstance(table, str) else table
        start = {name: place.start for name, place in RANGES.items()} | positions
        return Scene(Settings.read("any", targets or found.targets, **start), found)

    return make


@pytest.fixture
def run():
    """Return a function that executes shown Python and returns the names it defines."""

    def execute(code):
        names = {}
        exec(compile(code, "shown", "exec"), names)
        return names

    return execute
