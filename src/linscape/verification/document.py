"""A minimum written down so that others can check it: the moments, the network, the claim."""

from typing import TYPE_CHECKING, Any

from linscape.errors import InvalidOption, NoExactSolution
from linscape.verification.statement import FORMAT, VERSION

if TYPE_CHECKING:
    from linscape.landscape import GlobalMinimum


def certificate_document(minimum: "GlobalMinimum") -> dict[str, Any]:
    r"""Return a certificate of a global minimum, ready for JSON, that :func:`verify` re-proves.

    It states, for the float64 numbers it carries taken as exact, that

    .. math:: lower ≤ \min L ≤ L(predictor) ≤ upper

    and the same of the gain (the loss at zero minus min L). JSON writes each number with the digits
    that give the same float64 back. `moments` has E[xxᵀ], E[xyᵀ] (one row an output) and E[y_j²] in
    the units of the problem and without its data factor. If the biases are free of decay they are
    the centred ones, and `input_variances` is the diagonal of E[xxᵀ] about zero, which noise on the
    inputs multiplies; else it is null.

    Where float64 could not tell the variance of some directions from zero, `directions` has vectors
    that span the others, one a row, and the statement is about predictors in their span; else it is
    null.

    Parameters
    ----------
    minimum : GlobalMinimum
        Of any problem; the document does not depend on how it was found.

    Returns
    -------
    dict
        Strict JSON, of the format that docs/certificates.md describes.

    Raises
    ------
    InvalidOption
        For anything but a GlobalMinimum.
    NoExactSolution
        For several outputs with hidden layers, or biases that decay: this statement is not theirs.

    Examples
    --------
    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((3,), weight_decay=0.5))
    >>> document = certificate_document(ls.global_minimum(problem))
    >>> document["moments"]["cross_moment"], document["minimum"]["predictor"]
    ([[1.0]], [[0.5]])
    """
    from linscape.landscape import GlobalMinimum  # a checker does without it

    if not isinstance(minimum, GlobalMinimum):
        raise InvalidOption(
            f"expected the result of global_minimum, got an object of type {type(minimum).__name__}"
        )
    problem = minimum.problem
    moments, network = problem.moments, problem.network
    _require_covered(minimum)
    free = network.bias == "free"
    if free:
        A, C, yy = moments.covariance_x, moments.covariance_xy, moments.covariance_y
    else:
        A, C, yy = moments.A, moments.C, moments.yy
    d, m = moments.inputs, moments.outputs
    return {
        "format": FORMAT,
        "version": VERSION,
        "theorem": minimum.certificate.theorem,
        "moments": {
            "second_moment_x": A.tolist(),
            "cross_moment": C.reshape(d, m).T.tolist(),
            "second_moment_y": _diagonal(yy),
            "input_variances": moments.A.diagonal().tolist() if free else None,
        },
        "data_factor": float(problem.data_factor),
        "network": network.to_dict(),
        "directions": _directions(minimum),
        "minimum": {
            "lower": minimum.lower,
            "upper": minimum.upper,
            "gain_lower": minimum.gain_lower,
            "gain_upper": minimum.gain_upper,
            "is_trivial": minimum.is_trivial,
            "predictor": minimum.predictor.reshape(m, d).tolist(),
        },
    }


def _require_covered(minimum: "GlobalMinimum") -> None:
    network, outputs = minimum.problem.network, minimum.problem.moments.outputs
    if network.bias == "decayed" or (network.depth > 0 and outputs > 1):
        raise NoExactSolution(
            f"a certificate states the minimum of one output (any number without hidden layers) "
            f"without biases or with free ones, got {outputs} outputs, {network.depth} hidden "
            f"layers and bias={network.bias!r}; its interval is in minimum.certificate"
        )


def _diagonal(yy: Any) -> list[float]:
    return [yy] if isinstance(yy, float) else yy.diagonal().tolist()


def _directions(minimum: "GlobalMinimum") -> list[list[float]] | None:
    """Return the directions that were kept, a row each, or None if all were."""
    from linscape.spectrum import spectra

    if not minimum.certificate.null_directions:
        return None
    kept: list[list[float]] = spectra(minimum.problem)[0].basis.T.tolist()
    return kept
