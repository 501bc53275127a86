"""The documentation: sphinx with furo; nothing is fetched, so that it builds offline."""

import re

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

import linscape

project = "linscape"
author = "The linscape developers"
copyright = f"2026, {author}"
version = release = linscape.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
default_role = "code"

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "linscape"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}


def _escape_bars(app, what, name, obj, options, lines) -> None:
    """Let |z| in a docstring be an absolute value: reStructuredText would substitute it."""
    for k, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...", "=")) or ".. math::" in line:
            continue
        parts = re.split(r"(`+[^`]*`+)", line)
        lines[k] = "".join(
            part if part.startswith("`") else part.replace("|", "\u2223") for part in parts
        )


def _visit_inline(translator, node) -> None:
    translator.body.append(convert(node.astext()))
    raise SkipNode


def _visit_block(translator, node) -> None:
    translator.body.append(convert(node.astext(), display="block"))
    raise SkipNode


def setup(app) -> None:
    """Register the hook, and formulas as MathML, which browsers show without a script."""
    app.connect("autodoc-process-docstring", _escape_bars)
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
