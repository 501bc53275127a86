"""What the theorems on networks without decay or noise guarantee for one problem."""

from dataclasses import dataclass
from typing import Any

from linscape.arguments import guarded
from linscape.landscape.unregularised.hypotheses import Hypothesis, hypotheses
from linscape.landscape.unregularised.modes import modes_of
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

_SETTING = ("no decay", "no noise", "biases none or free")
_KAWAGUCHI = (
    *_SETTING,
    "hidden layer",
    "E[xxᵀ] nonsingular",
    "E[xyᵀ] full rank",
    "d_y ≤ d_x",
    "distinct eigenvalues of Σ",
)
_WORDS = {True: "yes", False: "no", None: "undecided"}


@dataclass(frozen=True)
class Guarantee:
    """One statement of a theorem, as printed and as it really holds.

    Attributes
    ----------
    theorem : str
        Where it is printed.
    statement : str
        What it says.
    printed : bool or None
        Whether the printed hypotheses hold for this problem.
    missing : tuple of str
        Those that fail or are undecided.
    holds : bool or None
        Whether the statement is true of this problem; it can be where a hypothesis fails.
    remark : str
        Which hypotheses it does not need, or why it fails.
    """

    theorem: str
    statement: str
    printed: bool | None
    missing: tuple[str, ...]
    holds: bool | None
    remark: str

    def to_dict(self) -> dict[str, Any]:
        """Return the guarantee ready for JSON."""
        return {
            "theorem": self.theorem,
            "statement": self.statement,
            "printed": self.printed,
            "missing": list(self.missing),
            "holds": self.holds,
            "remark": self.remark,
        }


@dataclass(frozen=True)
class TheoremReport:
    """Hypotheses of the theorems and what follows, for one problem.

    Attributes
    ----------
    hypotheses : tuple of Hypothesis
        Each with the number that decides it.
    guarantees : tuple of Guarantee
        Each as printed, and as it holds.
    """

    hypotheses: tuple[Hypothesis, ...]
    guarantees: tuple[Guarantee, ...]

    def __getitem__(self, name: str) -> Hypothesis | Guarantee:
        """Return the hypothesis of this name, or the guarantee of this theorem."""
        for hypothesis in self.hypotheses:
            if hypothesis.name == name:
                return hypothesis
        for guarantee in self.guarantees:
            if guarantee.theorem == name:
                return guarantee
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the report ready for JSON."""
        return {
            "hypotheses": [hypothesis.to_dict() for hypothesis in self.hypotheses],
            "guarantees": [guarantee.to_dict() for guarantee in self.guarantees],
        }

    def __repr__(self) -> str:
        """Return two tables."""
        width = max(len(hypothesis.name) for hypothesis in self.hypotheses)
        lines = [f"{'hypothesis':<{width}}  holds"]
        lines += [
            f"{hypothesis.name:<{width}}  {_WORDS[hypothesis.holds]:<9}  {hypothesis.detail}"
            for hypothesis in self.hypotheses
        ]
        width = max(len(guarantee.theorem) for guarantee in self.guarantees)
        lines += ["", f"{'theorem':<{width}}  as printed  true here"]
        for guarantee in self.guarantees:
            printed, holds = _WORDS[guarantee.printed], _WORDS[guarantee.holds]
            lines.append(
                f"{guarantee.theorem:<{width}}  {printed:<10}  {holds:<9}  {guarantee.statement}"
            )
            if guarantee.missing:
                lines.append(f"{'':<{width}}  without: {', '.join(guarantee.missing)}")
            lines.append(f"{'':<{width}}  {guarantee.remark}")
        return "\n".join(lines)


@guarded
def theorem_report(problem: Problem) -> TheoremReport:
    """Say which hypotheses of which theorem hold for a problem, and what is guaranteed.

    The theorems are on networks without decay and noise: Kawaguchi (2016), Theorem 2.3; Lu &
    Kawaguchi (2017), Theorems 2.1 and 2.2 and their corollary; Achour, Malgouyres & Gerchinovitz
    (2021), Theorem 1. Their statements hold more widely than printed, and each guarantee says how.
    With biases free of decay, x and y are centred.

    Parameters
    ----------
    problem : Problem
        Any; with decay or noise the report says that nothing of this is guaranteed.

    Returns
    -------
    TheoremReport
        `print` it for tables; `report["E[xxᵀ] nonsingular"].holds` looks one up.

    Raises
    ------
    InvalidMoments
        If the moments are not those of any data.

    Examples
    --------
    Two equal modes: Kawaguchi's theorem asks for distinct ones, and does not need them.

    >>> import numpy as np
    >>> import linscape as ls
    >>> from linscape.landscape.unregularised.theorems import theorem_report
    >>> report = theorem_report(
    ...     ls.Problem(ls.Moments(np.eye(2), np.eye(2), np.eye(2)), ls.Network((1,)))
    ... )
    >>> report["Kawaguchi (2016), 2.3 (ii)"].printed is None
    True
    >>> report["Kawaguchi (2016), 2.3 (ii)"].holds
    True
    >>> report["no bottleneck"].holds
    False
    """
    found = hypotheses(problem)
    known = {hypothesis.name: hypothesis.holds for hypothesis in found}
    return TheoremReport(found, tuple(_guarantees(problem, known)))


def _guarantees(problem: Problem, known: dict[str, bool | None]) -> list[Guarantee]:
    depth = problem.network.depth
    setting = all(known[name] for name in _SETTING)
    hidden = setting and depth >= 1
    excuse = "" if setting else "with decay, noise or decayed biases the theorem says nothing"

    def entry(
        theorem: str, statement: str, needs: tuple[str, ...], holds: bool, remark: str
    ) -> Guarantee:
        missing = tuple(name for name in needs if not known[name])
        printed = False if any(known[name] is False for name in needs) else not missing or None
        # outside the setting nothing is claimed, true or not
        truth = holds if setting else None
        return Guarantee(theorem, statement, printed, missing, truth, excuse or remark)

    A, _, _ = linear_moments(problem)
    signal = modes_of(problem, spectra(problem)).rank > 0
    rank = "any data: repeated eigenvalues, singular moments, d_y > d_x"
    full = ("E[xxᵀ] nonsingular", "E[yyᵀ] nonsingular")
    return [
        entry(
            "Kawaguchi (2016), 2.3 (i)",
            "the loss is neither convex nor concave",
            _KAWAGUCHI,
            hidden and bool(A.any()),
            "needs only a hidden layer and inputs that are not all zero",
        ),
        entry(
            "Kawaguchi (2016), 2.3 (ii)",
            "every local minimum is global",
            _KAWAGUCHI,
            setting,
            f"holds for {rank}",
        ),
        entry(
            "Kawaguchi (2016), 2.3 (iii)",
            "every other critical point is a saddle",
            _KAWAGUCHI,
            setting,
            f"holds for {rank}",
        ),
        entry(
            "Kawaguchi (2016), 2.3 (iv)",
            "saddles are strict"
            if depth <= 1
            else "saddles with rank(W_D⋯W_2) = min hidden width are strict",
            _KAWAGUCHI,
            setting,
            f"holds for {rank}" if depth <= 1 else f"holds for {rank}, at such weights only",
        ),
        entry(
            "converse of 2.3 (iv)",
            "all saddles are strict",
            _SETTING,
            depth <= 1 or not signal,
            "one hidden layer or none: all are"
            if depth <= 1
            else (
                f"zero weights are a non-strict saddle: all {depth + 1} layers must move together"
                if signal
                else "E[xyᵀ] = 0: every critical point is a global minimum"
            ),
        ),
        entry(
            "Lu & Kawaguchi (2017), reduction",
            "min over the weights = min over maps of rank ≤ the least width",
            _SETTING,
            setting,
            f"holds for {rank}",
        ),
        entry(
            "Lu & Kawaguchi (2017), 2.1",
            "a local minimum has the value of one of the rank-constrained problem",
            (*_SETTING, *full),
            setting,
            f"holds for {rank}",
        ),
        entry(
            "Lu & Kawaguchi (2017), 2.2",
            "local minima of the rank-constrained problem are global",
            (*_SETTING, "E[xxᵀ] nonsingular"),
            setting,
            f"holds for {rank}",
        ),
        entry(
            "Achour et al. (2021), Theorem 1",
            "kinds of critical points by modes and tightness, as classify decides them",
            _KAWAGUCHI,
            setting,
            f"holds for {rank}, in the form of rank and loss",
        ),
    ]
