"""What ball arithmetic proves about a statement, from its moments and its network alone."""

from collections.abc import Iterable
from typing import NamedTuple

from linscape.verification.balls import arb, arb_mat, ctx
from linscape.verification.coordinates import Coordinates, Imprecise, inner, norm
from linscape.verification.resolvent import NotDefinite, Resolvent, resolvents
from linscape.verification.statement import Statement
from linscape.verification.supremum import Curve, Gain, largest_gain

_ATTEMPTS = 5
_ROUNDING = arb(2) ** -46  # per input, of the norm of A: what float64 moments may be wrong by


class Unproven(Exception):
    """Nothing can be proven about the minimum; `refuted` if no data have such moments."""

    def __init__(self, reason: str, *, refuted: bool = False) -> None:
        super().__init__(reason)
        self.refuted = refuted


class Proof(NamedTuple):
    """Balls, in the units of the loss.

    Attributes
    ----------
    loss_lower, loss_upper : arb
        Enclose min L.
    gain_lower, gain_upper : arb
        Enclose the largest gain over zero.
    loss_attained, gain_attained : arb
        The loss and the gain of the stated predictor.
    negative_by_rounding : bool
        Whether rounding of the moments lets the data term be negative, as for no data.
    assumption : str or None
        What is taken for granted, if the statement leaves directions out.
    precision_bits : int
        The working precision.
    """

    loss_lower: arb
    loss_upper: arb
    gain_lower: arb
    gain_upper: arb
    loss_attained: arb
    gain_attained: arb
    negative_by_rounding: bool
    assumption: str | None
    precision_bits: int


def prove(statement: Statement) -> Proof:
    """Enclose the largest gain and the gain of the stated predictor.

    Raises
    ------
    Unproven
        If the moments are not those of any data, or no attempt at any precision decides.
    """
    A = statement.second_moment_x
    if any(A[i][j] != A[j][i] for i in range(len(A)) for j in range(i)):
        raise Unproven("E[xxᵀ] is not symmetric: no data have such moments", refuted=True)
    # without directions the polynomials are exact; else a determinant loses bits with its size
    extra = 0 if statement.directions is None else 16 * len(statement.directions)
    for attempt in range(_ATTEMPTS):
        bits = (256 + extra) * 2**attempt
        try:
            with ctx.workprec(bits):
                return _attempt(statement, bits)
        except Imprecise:
            continue
    raise Unproven(
        f"cannot be decided: {bits} bits do not tell the least variance of x in its directions, or "
        "the directions themselves, from zero"
    )


def _attempt(statement: Statement, bits: int) -> Proof:
    moments = Coordinates(statement)
    at_zero = arb(statement.data_factor) * _sum(map(arb, statement.second_moment_y))
    rounding = _ROUNDING * len(statement.second_moment_x) * norm(moments.A)
    assumption = _assumption(statement, moments, rounding, at_zero)
    outputs = range(len(statement.cross_moment))
    try:
        functions = resolvents(moments, rounding)
    except NotDefinite as error:
        raise _no_data(error) from None
    net = _Numbers.of(statement)
    gains = [_largest(net, function) for function in functions]
    parts = [
        _attained(net, moments, statement.predictor[j], moments.cross_moments[j]) for j in outputs
    ]
    attained = _sum(gain for gain, _ in parts)
    lower = _sum(g.lower for g in gains).lower().max(attained.lower())
    upper = _sum(g.upper for g in gains).upper()
    # without decay the loss is least, and rounding moves it by what the best predictor feels of it
    least = at_zero - _sum(function.end for function in functions) / net.inflation
    felt = rounding * _sum(square for _, square in parts) + _ROUNDING * at_zero
    return Proof(
        loss_lower=at_zero - upper,
        loss_upper=at_zero - lower,
        gain_lower=lower,
        gain_upper=upper,
        loss_attained=at_zero - attained,
        gain_attained=attained,
        negative_by_rounding=bool(least < 0 and least >= -felt),
        assumption=assumption,
        precision_bits=bits,
    )


def _assumption(
    statement: Statement, moments: Coordinates, rounding: arb, at_zero: arb
) -> str | None:
    """Say what is left out, having proven that float64 could not tell it from nothing."""
    if statement.directions is None:
        return None
    count = len(statement.second_moment_x) - len(statement.directions)
    variance = moments.variance_left_out()
    if not variance <= rounding:
        raise Unproven(
            f"the {count} directions left out have a variance of {_share(variance, moments)}, "
            "more than rounding",
            refuted=bool(variance > rounding),
        )
    # E[uy]² ≤ E[u²]E[y²]
    for output in range(len(statement.cross_moment)):
        square = moments.signal_left_out(output) ** 2
        most = len(statement.second_moment_x) * rounding * at_zero
        if not square <= most:
            raise Unproven(
                f"E[xy] has a part in the {count} directions left out: no data have such moments",
                refuted=bool(square > most),
            )
    return (
        f"predictors are taken in the span of {len(statement.directions)} directions, since x does "
        f"not vary beyond rounding in the {count} others: their variance is at most "
        f"{_share(variance, moments)}"
    )


def _share(variance: arb, moments: Coordinates) -> str:
    size = norm(moments.A)
    share = 0.0 if size.is_zero() else float((variance / size).upper())
    return f"{share:.2g} of the norm of E[xxᵀ]"


def _no_data(error: NotDefinite) -> Unproven:
    if error.by_rounding:
        return Unproven(
            "cannot be decided: by rounding, the stored E[xxᵀ] is not positive definite, and taken "
            "as exact it may leave the loss without a lower bound"
        )
    return Unproven("E[xxᵀ] has a negative eigenvalue: no data have such moments", refuted=True)


class _Numbers(NamedTuple):
    """What the network enters by: D, the inflation τ, the decay product P."""

    depth: int
    inflation: arb
    decay: arb

    @classmethod
    def of(cls, statement: Statement) -> "_Numbers":
        inflation, decay = arb(1), arb(1)
        for variance, width in zip(statement.noise, statement.hidden, strict=True):
            inflation *= 1 + arb(variance) / width
        for value in statement.weight_decay:
            decay *= arb(value)
        return cls(len(statement.hidden), inflation, decay)


def _largest(net: _Numbers, function: Resolvent) -> Gain:
    """Enclose the largest gain for one output."""
    if net.decay.is_zero() or net.depth == 0:
        value = function.end if net.decay.is_zero() else function(1 / net.decay)
        return Gain((value / net.inflation).lower(), (value / net.inflation).upper())
    if function.start.is_zero():
        return Gain(arb(0), arb(0))
    curve = Curve(function, net.depth, net.decay * net.inflation ** (net.depth - 1))
    found = largest_gain(curve, start=(1 / function.denominator[1]).mid())
    if found is None:
        raise Unproven("cannot be decided: the branch and bound did not end")
    return Gain((found.lower / net.inflation).lower(), (found.upper / net.inflation).upper())


def _attained(
    net: _Numbers, moments: Coordinates, predictor: list[float], cross: arb_mat
) -> tuple[arb, arb]:
    """Return 2c·p − τ pᵀAp − (D + 1)(P‖p‖²)^{1/(D+1)} of the stated predictor, and ‖p‖²."""
    if not any(predictor):
        return arb(0), arb(0)
    z = moments.of(predictor)
    square = inner(z, moments.gram * z)
    gain = 2 * inner(cross, z) - net.inflation * inner(z, moments.second_moment * z)
    if not net.decay.is_zero():
        layers = net.depth + 1
        gain -= layers * _root(net.decay * square, layers)
    return gain, square


def _root(square: arb, degree: int) -> arb:
    """Return the root of a number that is not negative, though its ball may reach below zero."""
    if square > 0:
        return square.root(degree)
    top = square.abs_upper()
    return arb(0).union(top.root(degree)) if top > 0 else top


def _sum(values: Iterable[arb]) -> arb:
    return sum(values, arb(0))
