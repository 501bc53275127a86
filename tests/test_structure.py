"""The shape of the package: imports one way, light start, documented public names."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import linscape

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "linscape"
FILES = sorted(SOURCE.rglob("*.py"))

# each may import what stands before it, and its own parts
ORDER = (
    "errors",
    "atomic",
    "citation",
    "arguments",
    "moments",
    "network",
    "propagation",
    "scaling",
    "problem",
    "enclosure",
    "grading",
    "spectrum",
    "lanczos",
    "landscape",
    "initialisation",
    "dynamics",
    "residual",
    "verification",
    "plots",
    "report",
    "sklearn",
    "torch",
    "sweep",
    "figures",
    "explorer",
    "cli",
    "__main__",
)
ROOMS = {"figures", "sklearn", "sweep", "torch"}  # modules of their own
PUBLIC = {
    "KrylovCertificate",
    "krylov_minimum",
    "AlignedFlow",
    "BiasState",
    "BiasedCriticalWeightDecay",
    "BiasedMinimum",
    "BiasedSolution",
    "Branch",
    "Branches",
    "Classification",
    "CollapseShare",
    "CriticalDepth",
    "CriticalDropout",
    "CriticalGain",
    "CriticalSignal",
    "CriticalValue",
    "CriticalValues",
    "CriticalWeightDecay",
    "Curvature",
    "DivergenceStepSize",
    "Eigenpair",
    "EndStateMap",
    "Escape",
    "EscapeTimes",
    "GlobalMinimum",
    "InTrap",
    "Inertia",
    "ModeClass",
    "ModePath",
    "ModePhase",
    "ModePhases",
    "Moments",
    "Network",
    "Phase",
    "PhaseDiagram",
    "Plateau",
    "Plateaus",
    "PredictedPlateau",
    "Problem",
    "ReducedRank",
    "ResidualDescent",
    "ResidualFactors",
    "ResidualGradientBound",
    "ResidualNormBound",
    "SaddleToSaddle",
    "SafeStepSize",
    "SearchedMinimum",
    "Solution",
    "SubnetworkClass",
    "TheoremReport",
    "Trajectory",
    "TrapRadius",
    "TwoLayerFlow",
    "Verification",
    "__version__",
    "aligned_flow",
    "balanced_weights",
    "balancedness",
    "bias_only_states",
    "bounds",
    "branches",
    "certificate_document",
    "classify",
    "collapse_share",
    "convex_trap_radius",
    "critical_depth",
    "critical_dropout",
    "critical_gain",
    "critical_point",
    "critical_points",
    "critical_signal",
    "critical_values",
    "critical_weight_decay",
    "cross_entropy_moment",
    "curvature",
    "decayed_critical_points",
    "descend",
    "descend_stochastic",
    "divergence_step_size",
    "dropout",
    "end_state_map",
    "energy_curve",
    "errors",
    "escape_times",
    "flow",
    "global_minima",
    "global_minimum",
    "imbalance_rates",
    "imbalances",
    "in_trap",
    "inertia",
    "mode_path",
    "mode_phases",
    "mode_strength",
    "mode_time",
    "phase",
    "phase_diagram",
    "plateaus",
    "random_weights",
    "read_certificate",
    "read_moments",
    "reduced_rank",
    "relu_trap_radius",
    "residual_descend",
    "residual_factors",
    "residual_gradient_bound",
    "residual_norm_bound",
    "residual_problem",
    "saddle_to_saddle",
    "safe_step_size",
    "search_minimum",
    "sharpness",
    "sharpness_step_size",
    "solutions",
    "square_loss_moment",
    "structured_inertia",
    "theorem_report",
    "trap_radius",
    "trivial_state",
    "two_layer_flow",
    "verify",
    "zero_residual_inertia",
}
HEAVY = {
    "dash",
    "dask",
    "flask",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "sklearn",
    "torch",
}


def module_of(file):
    """The dotted name below linscape, as a tuple; () for the package itself."""
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {module_of(file): file for file in FILES}


def imports(file):
    """The package's modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            first, *rest = name.split(".")
            if first != "linscape":
                continue
            while tuple(rest) not in MODULES:  # a name inside a module
                rest.pop()
            found.add(tuple(rest))
    return found


# ---- Imports


def test_every_module_has_its_place():
    assert {module[0] for module in MODULES if module} - set(ORDER) == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(module_of(file)) or "package")
def test_imports_go_one_way(file):
    module = module_of(file)
    for other in imports(file):
        if not module:
            pytest.fail(f"the package itself imports {other}; names resolve when first used")
        if not other or other[0] == module[0]:
            continue
        assert ORDER.index(other[0]) < ORDER.index(module[0]), f"{module} imports {other}"


def test_no_module_imports_itself_through_others():
    graph = {module: imports(file) - {()} for module, file in MODULES.items()}
    done = set()

    def visit(module, path):
        assert module not in path, f"a cycle: {[*path, module]}"
        if module not in done:
            for other in graph[module]:
                visit(other, [*path, module])
            done.add(module)

    for module in graph:
        visit(module, [])


def test_the_walk_sees_an_import_backwards(tmp_path):
    # the test above can fail: this is what it looks at
    file = tmp_path / "network.py"
    file.write_text("def f():\n    from linscape.landscape.solver import global_minimum\n")
    assert imports(file) == {("landscape", "solver")}
    assert ORDER.index("landscape") > ORDER.index("network")


# ---- A light start


def fresh(code):
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def loaded(code):
    """The heavy packages loaded by some code, and not by the interpreter itself."""
    report = "import sys; print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    one, other = (
        set(fresh(f"{part}\n{report}").rpartition("LOADED")[2].split()) for part in (code, "")
    )
    return (one - other) & HEAVY


def test_importing_the_package_loads_nothing_heavy():
    assert loaded("import linscape") == set()
    assert "numpy" in loaded("import linscape; linscape.Problem")


def test_asking_for_the_version_loads_nothing_heavy():
    code = """
import runpy, sys
sys.argv = ["linscape", "--version"]
try:
    runpy.run_module("linscape", run_name="__main__")
except SystemExit as end:
    assert not end.code
"""
    assert linscape.__version__ in fresh(code)
    assert loaded(code) == set()


# ---- Public names


def test_the_public_names_are_these():
    assert set(linscape.__all__) == PUBLIC
    assert len(linscape.__all__) == len(PUBLIC)
    assert set(dir(linscape)) == PUBLIC | ROOMS


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_resolves(name):
    value = getattr(linscape, name)
    assert getattr(linscape, name) is value
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__name__ == name
        assert value.__module__.startswith("linscape.")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = linscape.no_such_name


def test_the_stub_lists_the_same_names():
    tree = ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8"))
    names, homes = {"__version__"}, {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, f"{alias.name} is not re-exported"
                names.add(alias.name)
                homes[alias.name] = node.module
    assert names - ROOMS == PUBLIC
    for name in homes.keys() & PUBLIC - {"errors"}:
        value = getattr(linscape, name)  # first: a submodule is an attribute once it is loaded
        assert value is getattr(importlib.import_module(homes[name]), name)


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__", "errors"}))
def test_every_public_name_is_documented(name):
    value = getattr(linscape, name)
    assert inspect.getdoc(value)
    if inspect.isfunction(value):
        assert "Examples\n--------" in inspect.getdoc(value)
        assert ">>>" in inspect.getdoc(value)
    elif inspect.isclass(value):
        for attribute, member in vars(value).items():
            if not attribute.startswith("_") and inspect.isfunction(member):
                assert inspect.getdoc(member), f"{name}.{attribute}"


def test_every_error_is_documented_and_the_packages_own():
    classes = [value for value in vars(linscape.errors).values() if inspect.isclass(value)]
    assert len(classes) > 5
    for error in classes:
        assert issubclass(error, linscape.errors.LinscapeError)
        assert error.__doc__


# ---- Files


def python_files():
    return [*FILES, *sorted((ROOT / "tests").rglob("*.py"))]


def test_no_file_is_long():
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in python_files()}
    assert {str(file): length for file, length in lengths.items() if length > 500} == {}


def test_every_file_says_what_it_is():
    for file in python_files():
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), file


def test_no_module_is_a_drawer():
    drawers = {"utils", "util", "helpers", "misc", "common", "tools"}
    for file in python_files():
        assert not drawers & set(file.relative_to(ROOT).with_suffix("").parts), file


def test_the_oracles_import_nothing_of_the_package():
    assert imports(Path(__file__).parent / "oracles.py") == set()
