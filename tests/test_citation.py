"""The citation that is shipped says what CITATION.cff says."""

import re
from pathlib import Path

from linscape import __version__
from linscape.citation import PAPERS, bibtex

CITATION = (Path(__file__).parent.parent / "CITATION.cff").read_text()


def test_titles_agree_with_the_citation_file():
    titles = set(re.findall(r'^ +(?:- )?title: "?(.*?)"?$', CITATION, flags=re.MULTILINE))
    assert titles == {fields["title"] for _, fields in PAPERS.values()}


def test_version_agrees_with_the_citation_file():
    assert f"version: {__version__}\n" in CITATION
    assert f"version = {{{__version__}}}" in bibtex()


def test_every_entry_is_closed():
    text = bibtex()
    assert text.count("{") == text.count("}")
    assert text.count("@") == 1 + len(PAPERS)
