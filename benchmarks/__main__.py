"""Run every benchmark, print the table, and keep it with the machine it was measured on."""

import importlib
import json
import os
import platform
import sys
from datetime import date
from pathlib import Path

NAMES = (
    "ridge",
    "solve",
    "training",
    "descent",
    "diagram",
    "cross_validation",
    "startup",
    "curvature",
    "nuclear",
    "krylov",
    "monitor",
    "explorer",
    "growth",
    "out_of_core",
    "cluster",
    "memory",
)
RESULTS = Path(__file__).parent / "results.json"


def machine() -> dict[str, str | int | None]:
    """Describe where the numbers come from."""
    import numpy
    import scipy
    import sklearn
    import torch

    return {
        "date": date.today().isoformat(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
    }


def main(names: list[str]) -> None:
    """Run the named benchmarks, all by default, and keep their tables beside the others'."""
    kept = json.loads(RESULTS.read_text()) if names and RESULTS.exists() else {"seconds": {}}
    tables, units = {}, {}
    for name in names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"{name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        tables[name] = module.run()
        units[name] = getattr(module, "UNIT", "s")
        factor, unit = (1e3, "ms") if units[name] == "s" else (1.0, units[name])
        reference = next(iter(tables[name].values()))
        for contender, seconds in tables[name].items():
            print(
                f"  {contender:<44} {seconds * factor:>10.1f} {unit}   × {seconds / reference:.3g}"
            )
    merged = kept["seconds"] | tables
    units = kept.get("units", {}) | {name: unit for name, unit in units.items() if unit != "s"}
    ordered = {name: merged[name] for name in NAMES if name in merged}
    document = {"machine": machine(), "seconds": ordered, "units": units}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    print(f"written to {RESULTS}")


if __name__ == "__main__":
    main(sys.argv[1:])
