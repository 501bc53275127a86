"""What became of a certificate: proven, refuted, or neither."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from linscape.verification.statement import Statement, read

if TYPE_CHECKING:
    from linscape.verification.proof import Proof


@dataclass(frozen=True)
class Verification:
    """What ball arithmetic found out about a certificate.

    Attributes
    ----------
    holds : bool or None
        True if everything the certificate states is proven; False if a part of it is proven wrong;
        None if neither.
    reason : str
        What is proven, or which part is wrong, or why nothing can be decided.
    claims : dict
        The answer for each part: "lower", "upper", "gain_lower", "gain_upper" and, where the
        certificate says whether zero is a global minimum, "is_trivial".
    lower, upper : float or None
        lower ≤ min L ≤ upper, as proven here, rounded outwards; None if nothing is proven.
    lower_digits, upper_digits : str or None
        The same with 40 digits, rounded outwards.
    gap : float or None
        upper − lower before they were rounded.
    gain_lower, gain_upper : float or None
        The same for the gain, the loss at zero minus min L.
    assumption : str or None
        What the statement takes for granted, if it leaves directions out.
    precision_bits : int or None
        The working precision of the proof.
    """

    holds: bool | None
    reason: str
    claims: Mapping[str, bool | None]
    lower: float | None = None
    upper: float | None = None
    lower_digits: str | None = None
    upper_digits: str | None = None
    gap: float | None = None
    gain_lower: float | None = None
    gain_upper: float | None = None
    assumption: str | None = None
    precision_bits: int | None = None

    @property
    def source(self) -> str:
        """Return what the proof rests on."""
        return (
            "Ziyin, Li & Meng (2022), Theorem 2, with the energy form of its global minimum; "
            "ball arithmetic (Arb)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the verification ready for JSON, infinities as the string "inf" or "-inf"."""
        plain = {
            name: str(value) if isinstance(value, float) and math.isinf(value) else value
            for name, value in asdict(self).items()
        }
        return {**plain, "source": self.source}


def verify(document: Mapping[str, Any]) -> Verification:
    r"""Prove a certificate again, or refute it, from the moments and the network it carries.

    The numbers of the document are taken as exact. With A = E[xxᵀ] (noise on the inputs added),
    c = E[xy], all of it times the data factor, τ = Π(1 + σ_k²/d_k) and P the product of the decays,

    .. math:: E y² − \min L = \max_{K ≥ 0} \; cᵀ[τA + P K^{−D} I]^{−1}c − D·K

    is enclosed in ball arithmetic (Arb), by a method that shares nothing with the solver: no
    eigenvector, no float64. The stated predictor p is put into
    τ pᵀAp − 2c·p + E y² + (D + 1)(P‖p‖²)^{1/(D+1)}, which a rank-one network attains. Without
    hidden layers, or if a decay is zero, the maximum is cᵀ[τA + P I]^{−1}c, and min L an infimum.

    The document must state true bounds on min L and on the gain, and a predictor whose loss and
    gain keep them. It is refuted where the contrary of a part is proven, or no data have its
    moments. If it leaves directions of x out, its statement is about the span of the others; that x
    does not vary in the directions left out beyond rounding is checked, and `assumption` says it.

    Not safe to call from several threads at once: Arb's working precision is one for all.

    Parameters
    ----------
    document : mapping
        As :func:`certificate_document` writes and :func:`read_certificate` reads it.

    Returns
    -------
    Verification
        `holds`, the `reason`, and the interval as proven here.

    Raises
    ------
    UnreadableFile
        If the document is no certificate, or a part of it is missing or malformed.
    MissingDependency
        If python-flint is not installed.

    References
    ----------
    docs/certificates.md has the proof. Ziyin, Li & Meng (2022), Theorem 2. F. Johansson (2017),
    *Arb: efficient arbitrary-precision midpoint-radius interval arithmetic*.

    Examples
    --------
    A = c = E[y²] = 1 and γ = ½ with one hidden layer: (1 − p)² + 2γ|p|, least at p = ½, is ¾.

    >>> import linscape as ls
    >>> from linscape.verification import certificate_document, verify
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((3,), weight_decay=0.5))
    >>> document = certificate_document(ls.global_minimum(problem))
    >>> verified = verify(document)
    >>> verified.holds, verified.lower <= 0.75 <= verified.upper, verified.gap < 1e-18
    (True, True, True)
    >>> document["network"]["weight_decay"][0] = 0.51
    >>> verify(document).holds
    False
    """
    statement = read(document)
    from linscape.verification.proof import Unproven, prove  # needs python-flint

    try:
        proof = prove(statement)
    except Unproven as error:
        return Verification(False if error.refuted else None, str(error), {})
    return _judged(statement, proof)


def _judged(statement: Statement, proof: "Proof") -> Verification:
    from linscape.verification.balls import decimal, float_above, float_below

    claims = _claims(statement, proof)
    answers = claims.values()
    holds = False if False in answers else None if None in answers else True
    lower = decimal(proof.loss_lower, below=True)
    upper = decimal(proof.loss_upper, below=False)
    return Verification(
        holds=holds,
        reason=_reason(statement, proof, claims, f"{lower} <= min L <= {upper}"),
        claims=claims,
        lower=float_below(proof.loss_lower),
        upper=float_above(proof.loss_upper),
        lower_digits=lower,
        upper_digits=upper,
        gap=float_above(proof.gain_upper - proof.gain_lower),
        gain_lower=float_below(proof.gain_lower),
        gain_upper=float_above(proof.gain_upper),
        assumption=proof.assumption,
        precision_bits=proof.precision_bits,
    )


def _claims(statement: Statement, proof: "Proof") -> dict[str, bool | None]:
    claims = {
        "lower": _answer(statement.lower <= proof.loss_lower, statement.lower > proof.loss_upper),
        "upper": _answer(
            proof.loss_attained <= statement.upper, proof.loss_attained > statement.upper
        ),
        # zero attains a gain of zero, whatever the predictor's
        "gain_lower": _answer(
            statement.gain_lower <= 0 or proof.gain_attained >= statement.gain_lower,
            statement.gain_lower > 0 and proof.gain_attained < statement.gain_lower,
        ),
        "gain_upper": _answer(
            proof.gain_upper <= statement.gain_upper, proof.gain_lower > statement.gain_upper
        ),
    }
    if statement.is_trivial is not None:
        zero = _answer(proof.gain_upper <= 0, proof.gain_lower > 0)
        claims["is_trivial"] = zero if statement.is_trivial or zero is None else not zero
    if claims["lower"] is False and _rests_on_rounding(statement, proof, claims):
        claims["lower"] = None
    return claims


def _rests_on_rounding(
    statement: Statement, proof: "Proof", claims: Mapping[str, bool | None]
) -> bool:
    """Say whether all that is wrong is 0 <= min L, which holds for data and not after rounding."""
    return statement.lower == 0 and proof.negative_by_rounding and claims["gain_upper"] is True


def _answer(proven: bool, refuted: bool) -> bool | None:
    return True if proven else False if refuted else None


def _reason(
    statement: Statement, proof: "Proof", claims: Mapping[str, bool | None], interval: str
) -> str:
    wrong = [name for name, answer in claims.items() if answer is False]
    open_ones = [name for name, answer in claims.items() if answer is None]
    if wrong:
        stated = ", ".join(f"{name} = {getattr(statement, name)!r}" for name in wrong)
        return f"refuted: {stated} is wrong; proven is {interval}"
    if open_ones == ["lower"] and _rests_on_rounding(statement, proof, claims):
        return (
            "cannot be decided: by rounding, the stored moments are not jointly positive "
            f"semidefinite, and taken as exact they have {interval}, below zero"
        )
    if open_ones:
        return f"cannot be decided: {', '.join(open_ones)}; proven is {interval}"
    return f"proven: {interval}" + (f"; {proof.assumption}" if proof.assumption else "")
