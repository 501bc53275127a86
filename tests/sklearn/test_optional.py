"""scikit-learn is optional: nothing loads it unasked; without it the error says what to do."""

import subprocess
import sys


def python(code):
    """What a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_importing_linscape_does_not_import_scikit_learn():
    code = "import sys, linscape as ls; ls.global_minimum; print('sklearn' in sys.modules)"
    assert python(code) == "False"


def test_without_scikit_learn_the_error_says_what_to_install():
    code = """
import sys
sys.modules["sklearn"] = None
from linscape.errors import MissingDependency
try:
    import linscape.sklearn
except MissingDependency as error:
    print(error)
"""
    assert 'pip install "linscape[sklearn]"' in python(code)


def test_a_version_that_is_too_old_gives_the_same_error():
    code = """
import sklearn.utils.validation
from linscape.errors import MissingDependency
del sklearn.utils.validation.validate_data
try:
    import linscape.sklearn
except MissingDependency as error:
    print(error)
"""
    assert "1.6 or newer" in python(code)
