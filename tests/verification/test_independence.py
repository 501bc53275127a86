"""The checker shares nothing with the solver: no import of it, not even numpy."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import linscape as ls
import linscape.verification
from cases import known_minimum
from linscape.verification import certificate_document

FOLDER = Path(linscape.verification.__file__).parent
WRITER = "document.py"  # it takes the minimum apart; nothing of it is used to check one


def imports(path):
    """Every module a file imports, wherever in it, except for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node not in typing and isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif node not in typing and isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module


def test_the_checker_imports_only_the_standard_library_flint_and_the_errors():
    checked = [path for path in FOLDER.glob("*.py") if path.name not in (WRITER, "__init__.py")]
    assert len(checked) >= 6
    for path in checked:
        for module in imports(path):
            own = module == "linscape.errors" or module.startswith("linscape.verification.")
            outside = module.split(".")[0] in sys.stdlib_module_names | {"flint"}
            assert own or outside, f"{path.name} imports {module}"
            assert module != "linscape.verification.document", path.name


def test_a_certificate_is_verified_without_loading_the_solver(tmp_path):
    problem = known_minimum(np.random.default_rng(0), 2).problem
    path = tmp_path / "minimum.json"
    path.write_text(json.dumps(certificate_document(ls.global_minimum(problem))))
    code = f"""
import sys
from linscape.verification import read_certificate, verify
print(verify(read_certificate({str(path)!r})).holds)
print([name for name in sys.modules if name.split(".")[0] in ("numpy", "scipy")])
print([name for name in sys.modules if name.startswith("linscape.")
       and not name.startswith(("linscape.errors", "linscape.verification"))])
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert printed.split("\n")[:3] == ["True", "[]", "[]"]
