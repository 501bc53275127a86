"""The objective of a linear residual net: a problem whose weights are I + A_i."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidMoments, InvalidWeights
from linscape.moments import Moments
from linscape.network import Network
from linscape.problem import Problem
from linscape.residual.norm import checked_layers

Array = NDArray[np.float64]


@guarded
def residual_problem(moments: Moments, layers: int) -> Problem:
    r"""Return the problem of a linear residual net, E‖(I + A_l) ⋯ (I + A_1)x − y‖².

    It is the problem of the linear net of l layers of d units, without decay, noise or biases, at
    the weights W_i = I + A_i: the derivative by A_i is the one by W_i, and so is the Hessian.

    Parameters
    ----------
    moments : Moments
        Second moments of d inputs and as many outputs.
    layers : int
        Number l ≥ 1 of layers.

    Raises
    ------
    InvalidMoments
        If there are not as many outputs as inputs.
    InvalidNetwork
        If `layers` is not a whole number of at least 1.

    References
    ----------
    Hardt & Ma (2016), *Identity matters in deep learning*, section 2.

    Examples
    --------
    x = 1, y = 3, two layers with a = 1/2 and 1: f = 3.

    >>> import linscape as ls
    >>> problem = residual_problem(ls.Moments([[1.0]], [3.0], 9.0), 2)
    >>> problem.loss([[[1 + 0.5]], [[1 + 1.0]]])
    0.0
    """
    count = checked_layers(layers)
    if moments.outputs != moments.inputs:
        raise InvalidMoments(
            "a residual net has as many outputs as inputs, and these moments have "
            f"{moments.inputs} inputs and {moments.outputs} outputs; add or drop columns"
        )
    return Problem(moments, Network(hidden=(moments.inputs,) * (count - 1)))


def checked_factors(factors: ArrayLike, size: int) -> Array:
    """Return A_1, …, A_l as an array (l, d, d), or refuse them."""
    try:
        layers = np.asarray(factors)
    except ValueError:  # ragged
        layers = np.asarray(None)
    if layers.dtype.kind not in "fiub" or layers.ndim != 3 or layers.shape[1:] != (size, size):
        raise InvalidWeights(
            f"factors must be A_1, …, A_l, a real array of shape (l, {size}, {size}), "
            f"got {layers.dtype} of shape {layers.shape}"
        )
    if not len(layers) or not np.isfinite(layers).all():
        raise InvalidWeights(
            "factors must be at least one layer of finite numbers; found none "
            "or an entry that is NaN or infinite"
        )
    return layers.astype(np.float64)
