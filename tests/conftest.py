"""One profile for all property tests, and the slow batteries kept out of the default run."""

import pytest
from hypothesis import Phase, settings

# the same examples in every run, and no time limits: speed is measured in benchmarks/
settings.register_profile(
    "linscape",
    derandomize=True,
    deadline=None,
    max_examples=50,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
settings.load_profile("linscape")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "slow" in config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
