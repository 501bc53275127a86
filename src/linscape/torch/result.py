"""A diagnosis as a result: three answers, and what surrounds them."""

from dataclasses import dataclass
from typing import Any

from linscape.torch.answer import Answer
from linscape.torch.limits import Limits
from linscape.torch.loss import DataTerm
from linscape.torch.page import Section, as_html, as_text
from linscape.torch.reading import Reading

SCHEMA = "linscape.diagnose"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is known of a model's training, each part with what it rests on.

    Attributes
    ----------
    reading : Reading
        The model as the theory sees it.
    term : DataTerm
        The loss.
    rows, batches : int
        What the loader yielded.
    culprits : tuple of str
        The usual mistakes that were found; not theory.
    phase : Answer
        (a) "collapsed", "metastable", "learning" or "undecided": about the global minimum. "not
        covered" and "not applicable" where no statement is.
    trap : Answer
        (b) "yes", these weights are proven to end at zero, or "not proven".
    ending : Answer
        (c) "collapsed", "learning" or "undecided": where the exact noise-averaged descent ends from
        these weights, with ``numbers["critical_gain"]``.
    limits : Limits
        Loss at zero and best loss; largest decay, dropout and the depths that learn.
    constant : str or None
        Why the output is constant over the data, if it is.
    advice, trust : tuple of str
        What to change, and how far the answers hold for this model.
    """

    reading: Reading
    term: DataTerm
    rows: int
    batches: int
    culprits: tuple[str, ...]
    phase: Answer
    trap: Answer
    ending: Answer
    limits: Limits
    constant: str | None
    advice: tuple[str, ...]
    trust: tuple[str, ...]

    def __str__(self) -> str:
        """Return the diagnosis as text."""
        return as_text(sections(self))

    def to_html(self) -> str:
        """Return the diagnosis as one HTML page without scripts or requests."""
        return as_html(sections(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis ready for strict JSON."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "model": self.reading.to_dict(),
            "loss": self.term.to_dict(),
            "rows": self.rows,
            "batches": self.batches,
            "culprits": list(self.culprits),
            "phase": self.phase.to_dict(),
            "trap": self.trap.to_dict(),
            "ending": self.ending.to_dict(),
            "limits": self.limits.to_dict(),
            "constant": self.constant,
            "advice": list(self.advice),
            "trust": list(self.trust),
        }


def sections(found: Diagnosis) -> list[Section]:
    """Return headings with a few lines each."""
    culprits = list(found.culprits) or ["none of those looked for"]
    result = [
        ("Model", _model(found)),
        ("Usual culprits (not theory)", culprits),
        ("(a) Phase: the global minimum", _answer(found.phase)),
        ("(b) Proven trap", _answer(found.trap)),
        ("(c) Where descent ends", _answer(found.ending)),
        ("Losses and limits", _limits(found)),
    ]
    if found.constant is not None:
        result.append(("Constant output", [found.constant]))
    if found.advice:
        steps = [f"{k}. {line}" for k, line in enumerate(found.advice, start=1)]
        result.append(("What next", steps))
    result.append(("How far to trust it", list(found.trust)))
    return [section for section in result if section[1]]


def _answer(answer: Answer) -> list[str]:
    return [f"{answer.verdict}: {answer.statement}", f"[{answer.basis}]"]


def _model(found: Diagnosis) -> list[str]:
    reading, term = found.reading, found.term
    chain = " → ".join(map(str, reading.widths))
    names = [one.name for one in reading.activations if one is not None]
    acts = f", {', '.join(dict.fromkeys(names))}" if names else ", linear"
    biases = {
        False: "no biases",
        "decayed": "biases decay with their layers",
        "free": "biases free of decay",
        "output": "one free bias at the output",
    }
    batches = f"{found.batches} batch{'' if found.batches == 1 else 'es'}"
    rows = f"{found.rows} row{'' if found.rows == 1 else 's'}"
    lines = [f"{chain}{acts}, {biases[reading.bias]}; {rows} in {batches}"]
    lams = ", ".join(f"{lam:.4g}" for lam in dict.fromkeys(reading.weight_decay))
    lines.append(
        f"loss: {term.kind}, α = {term.alpha:.4g} ({term.reduction}); weight_decay λ = {lams}"
        + (", decoupled: no γ" if reading.decoupled else f", γ = λ/(2α) = {_gammas(found)}")
    )
    noises = [reading.input_noise, *reading.noise, reading.output_noise]
    if any(noises):
        lines.append(
            "noise variances of dropout, inputs to output: "
            + ", ".join(f"{variance:.4g}" for variance in noises)
        )
    return lines


def _gammas(found: Diagnosis) -> str:
    values = dict.fromkeys(lam / (2 * found.term.alpha) for lam in found.reading.weight_decay)
    return ", ".join(f"{gamma:.4g}" for gamma in values)


def _limits(found: Diagnosis) -> list[str]:
    limits, lines = found.limits, []
    if limits.loss_at_zero is not None:
        lines.append(f"loss with all weights zero: {limits.loss_at_zero:.6g}")
    if limits.best is not None:
        upper = limits.best.upper
        where = f"at least {limits.best.lower:.6g}"
        if upper is not None:
            where = f"between {limits.best.lower:.9g} and {upper:.9g}"
        kind = "model" if found.reading.kind == "linear" else "net in its place"
        lines.append(
            f"best loss of the linear {kind}: {where}, decay included [{limits.best.source}]"
        )
    if limits.weight_decay is not None:
        lines.append(f"largest common weight_decay that learns: {limits.weight_decay:.4g}")
    if limits.dropout is not None:
        lines.append(f"largest common dropout that learns: {limits.dropout:.4g}")
    if limits.depths is not None:
        depths = ", ".join(map(str, limits.depths)) or "none"
        lines.append(f"numbers of hidden layers that learn, up to 12: {depths}")
    return lines
