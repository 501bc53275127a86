"""Every figure and worked example of the sources, one file each: run, claims, picture.

Each folder is a source: `exact_solutions` is Ziyin, Li & Meng (2022), `gradient_descent` what
descent does (Achour, Malgouyres & Gerchinovitz; Nguegnang, Rauhut & Terstiege), `no_poor_minima`
Kawaguchi (2016) and Hardt & Ma (2017).
"""

from linscape.figures.catalogue import CATALOGUE, Entry, draw, reproduce
from linscape.figures.claim import Claim
from linscape.figures.reproduction import Advance, Reproduction

__all__ = ["CATALOGUE", "Advance", "Claim", "Entry", "Reproduction", "draw", "reproduce"]
