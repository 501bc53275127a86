"""Write the README's transcript, picture and figures anew, or check that they are true.

    python examples/write_readme.py            writes them
    python examples/write_readme.py --check    exits with status 1 if they differ

The transcript is what `make demo` prints; the figures come from benchmarks/results.json, which
`make bench` writes.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "examples" / "diabetes.svg"
DEMO = [
    "solve",
    "examples/data/diabetes.csv",
    *("--target", "progression"),
    *("--hidden", "64,64"),
    *("--dropout", "0.2"),
    *("--weight-decay", "1e-3"),
]


def linscape(*arguments: str, folder: str | Path = ROOT) -> str:
    """Return what the command line prints, 88 columns wide and without colour."""
    environment = {**os.environ, "COLUMNS": "88", "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "linscape", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n")


def transcript() -> str:
    """Return what `make demo` prints, as a fenced block; its files go to a folder of their own."""
    written = ("--plot", "demo/diabetes.png", "--save", "demo/diabetes.npz")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / DEMO[1]
        data.parent.mkdir(parents=True)
        shutil.copy(ROOT / DEMO[1], data)
        (Path(folder) / "demo").mkdir()
        return f"```text\n{linscape(*DEMO, *written, folder=folder)}\n```"


def benchmark_table() -> str:
    """Return the benchmarks as a table of times and ratios."""
    document = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    machine = document["machine"]
    units = document.get("units", {})
    quantity = "time or memory" if units else "time"
    lines = [f"| what | {quantity} | against linscape |", "|---|---:|---:|"]
    for benchmark, table in document["seconds"].items():
        if benchmark == "growth":  # a picture, docs/growth.svg
            continue
        lines.append(f"| **{_heading(benchmark)}** | | |")
        reference = next(iter(table.values()))
        for name, seconds in table.items():
            ratio = "" if seconds == reference else f"× {seconds / reference:.2g}"
            unit = units.get(benchmark)
            shown = f"{seconds:.3g} {unit}" if unit else _duration(seconds)
            lines.append(f"| {name} | {shown} | {ratio} |")
    lines.append("")
    lines.append(
        f"{machine['cores']} cores ({machine['machine']}), Python {machine['python']}, "
        f"numpy {machine['numpy']}, scikit-learn {machine['scikit-learn']}, "
        f"torch {machine['torch']}, {machine['date']}."
    )
    return "\n".join(lines)


def _heading(benchmark: str) -> str:
    """Return the first line of what the benchmark says of itself."""
    source = (ROOT / "benchmarks" / f"{benchmark}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or benchmark).splitlines()[0].rstrip(".")


def _duration(seconds: float) -> str:
    for factor, unit in ((60.0, "min"), (1.0, "s"), (1e-3, "ms")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def filled(text: str) -> str:
    """Return the README with its marked parts written anew."""
    for name, content in (("demo", transcript()), ("benchmarks", benchmark_table())):
        pattern = re.compile(f"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        text = pattern.sub(lambda match, new=content: f"{match[1]}{new}\n{match[2]}", text)
    return text


def alike(one: str, other: str) -> bool:
    """Say whether two texts differ in rounding only: another BLAS rounds the last digits elsewhere.

    Words must be equal; numbers may differ by 1e-9, which leaves the widths of proven intervals
    free.
    """
    number = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")
    if number.sub("", one) != number.sub("", other):
        return False
    pairs = zip(number.findall(one), number.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= 1e-9 * max(1.0, abs(float(a))) for a, b in pairs)


def main() -> int:
    """Write or check."""
    before = README.read_text()
    after = filled(before)
    if "--check" in sys.argv[1:]:
        if alike(before, after):
            return 0
        print("README.md is out of date: run `make readme`", file=sys.stderr)
        return 1
    README.write_text(after)
    linscape(*DEMO, "--plot", str(PICTURE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
