"""The wheel and the source archive are built, installed in a fresh environment, and run there."""

import json
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "linscape"


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the source archive, and the wheel from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, archive


def test_the_wheel_holds_the_package_and_nothing_else(built):
    files = {name for name in zipfile.ZipFile(built[0]).namelist() if ".dist-info/" not in name}
    expected = {
        f"linscape/{path.relative_to(SOURCE).as_posix()}"
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files == expected
    assert {"linscape/py.typed", "linscape/__init__.pyi"} <= files


def test_the_source_archive_holds_the_tests_and_the_licence(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CITATION.cff", "tests/oracles.py", "docs/index.md"} <= names


def test_a_fresh_environment_runs_the_wheel(built, tmp_path):
    """One test, so that two workers do not install twice."""
    scripts = install(built[0], tmp_path)
    solves_a_line(scripts, tmp_path)
    has_no_extra(scripts, tmp_path)
    says_which_extra(scripts, tmp_path)


def install(wheel, tmp_path):
    """Return the scripts of a new environment with the wheel and what it asks for."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    run(scripts / "python", "-m", "pip", "install", "-q", wheel)
    return scripts


def solves_a_line(scripts, tmp_path):
    table = tmp_path / "line.csv"
    table.write_text("x,y\n" + "".join(f"{x},{2 * x}\n" for x in range(-3, 4)))
    options = ("--target", "y", "--hidden", "none", "--weight-decay", "0", "--raw", "--json")
    facts = json.loads(run(scripts / "linscape", "solve", table, *options, cwd=tmp_path))
    assert facts["minimum"]["upper"] == pytest.approx(0, abs=1e-12)  # y = 2x exactly


def has_no_extra(scripts, tmp_path):
    facts = json.loads(run(scripts / "linscape", "info", "--json", cwd=tmp_path))
    assert facts["extras"]["torch"] == {"torch": None}
    assert facts["extras"]["dask"] == {"dask": None, "distributed": None}


def says_which_extra(scripts, tmp_path):
    code = "import linscape as ls; ls.torch.diagnose"
    done = subprocess.run(
        [scripts / "python", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert 'pip install "linscape[torch]"' in done.stderr
