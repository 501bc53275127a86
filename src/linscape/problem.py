"""The objective, once: moments and a network, and the exact noise-averaged loss of any weights."""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape import propagation
from linscape.errors import InvalidMoments, InvalidOption, InvalidWeights, OutOfRange
from linscape.moments import Moments
from linscape.network import Network
from linscape.scaling import Exponents, Scale, largest_exponent

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

Array = NDArray[np.float64]
Weights = Sequence[ArrayLike]
Reduction = Literal["mean", "sum", "half_sum", "half_mean"]


class Problem:
    r"""The training objective of a deep linear network on data known by its second moments.

    With h_0 = x, h_k = ε_k∘(W_k h_{k−1} + β_k) and f = U h_D + β_U,

    .. math:: L = E‖f(x) − y‖² + γ_u(‖U‖² + ‖β_U‖²) + Σ_k γ_k(‖W_k‖_F² + ‖β_k‖²)

    where E averages over the rows (with their weights) and over the noise: the ε are independent
    over rows, units and layers, with mean 1 and variance σ_k². There is no ½, outputs are summed,
    and without biases all β = 0; ``bias="free"`` leaves the β out of the decay. Noise on the input
    multiplies x in the same way. PyTorch minimises α·E‖f − y‖² + (λ/2)‖w‖² instead: γ = λ/(2α).

    Weights are a list [W_1 (d_1, d), …, W_D, U (m, d_D)], each [W β] where there are biases. All
    of them may carry the same batch axes in front; losses then come as an array.

    Parameters
    ----------
    moments : Moments
        Second moments of the data (and means, if the network has biases).
    network : Network
        The architecture.
    reduction : "mean", "sum", "half_sum" or "half_mean", default "mean"
        Factor of the data term: 1, the total weight n of the rows, n/2 or ½. The decays are not
        scaled. Losses, gains and thresholds are in these units.

    Raises
    ------
    InvalidMoments
        If the network has biases and the means are not known, or a sum is asked for and the
        number of rows is not known.

    References
    ----------
    Ziyin, Li & Meng (2022), *Exact solutions of a deep linear network*, equation (2).

    Examples
    --------
    One input and one hidden unit with noise variance 1, w = u = 1, A = c = E[y²] = 1:
    E‖f − y‖² is the noise's variance 1, and each of the two decays adds 0.1.

    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> network = ls.Network(hidden=(1,), noise=1.0, weight_decay=0.1)
    >>> problem = ls.Problem(moments, network)
    >>> problem.loss([[[1.0]], [[1.0]]])
    1.2
    """

    def __init__(
        self, moments: Moments, network: Network, *, reduction: Reduction = "mean"
    ) -> None:
        if not isinstance(moments, Moments) or not isinstance(network, Network):
            raise InvalidOption(
                "a problem is Problem(moments, network), a Moments and a Network; "
                f"got {type(moments).__name__} and {type(network).__name__}"
            )
        if not isinstance(reduction, str) or reduction not in get_args(Reduction):
            choices = ", ".join(map(repr, get_args(Reduction)))
            raise InvalidOption(f"reduction must be one of {choices}, got {reduction!r}")
        if network.bias is not False and moments.mean_x is None:
            raise InvalidMoments(
                "a network with biases needs the means of x and y, and these moments have none; "
                "give Moments its mean_x and mean_y, or build it with Moments.from_arrays"
            )
        self.moments = moments
        self.network = network
        self.reduction = reduction
        self.data_factor = _data_factor(moments, reduction)

    def __repr__(self) -> str:
        """Return the parts in one line."""
        return f"Problem({self.moments!r}, {self.network!r}, reduction={self.reduction!r})"

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Shapes of W_1, …, W_D, U, biases included."""
        return self.network.shapes(self.moments.inputs, self.moments.outputs)

    def loss(self, weights: Weights) -> float | Array:
        """Return the exact loss L of `weights`: a float, or an array over their batch axes.

        Raises
        ------
        InvalidWeights
            If the number, the shapes or the entries of `weights` do not fit the network.
        OutOfRange
            If the loss is too large for a 64-bit float.
        """
        matrices = self._checked(weights)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = self._scale.layers(matrices, self._scale.exponents(matrices))
            data = self._scale.data_term(propagation.loss(scaled, *self._scale.data))
            total = self.data_factor * data + self.energies(matrices).sum(axis=-1)
        _check_range(total, "loss")
        return float(total) if total.ndim == 0 else total

    def gradient(self, weights: Weights) -> list[Array]:
        """Return the derivative of L by each weight matrix, in the shapes of `weights`."""
        matrices = self._checked(weights)
        with np.errstate(over="ignore", invalid="ignore"):
            exponents = self._scale.exponents(matrices)
            scaled = self._scale.layers(matrices, exponents)
            raw = propagation.gradient(scaled, *self._scale.data[:-1])
            return self._with_decay(self._scale.pull_back(raw, exponents), matrices)

    def hessian_product(self, weights: Weights, directions: Weights) -> list[Array]:
        """Return the second derivative of L at `weights`, applied to `directions`.

        `directions` has the shapes of `weights`, with batch axes in front for several at once.
        """
        matrices, tangents = self._checked(weights), self._checked(directions)
        batch, several = matrices[0].shape[:-2], tangents[0].shape[:-2]
        if several[len(several) - len(batch) :] != batch:
            raise InvalidWeights(
                f"the batch axes of directions must end with those of weights, {batch}, "
                f"got {several}"
            )
        return self._hessian(matrices)(tangents)

    def hessian_operator(self, weights: Weights) -> "LinearOperator":
        """Return the Hessian at `weights` as a scipy LinearOperator.

        The order of its N variables is that of :meth:`flatten`: layers in order, each in C order.
        """
        from scipy.sparse.linalg import LinearOperator

        matrices = self._single(weights, "hessian_operator")
        hessian = self._hessian(matrices)

        def product(vectors: Array) -> Array:
            columns = vectors.reshape(len(vectors), -1).T
            result = self.flatten(hessian(self._checked(self.unflatten(columns))))
            flat: Array = result.T.reshape(vectors.shape)
            return flat

        size = sum(matrix.size for matrix in matrices)
        return LinearOperator(
            (size, size), matvec=product, rmatvec=product, matmat=product, dtype=np.float64
        )

    def hessian(self, weights: Weights) -> Array:
        """Return the dense symmetric Hessian at `weights`, in the order of :meth:`flatten`.

        Without noise on hidden units it is assembled from Kronecker blocks.
        """
        matrices = self._single(weights, "hessian")
        if not any(self.network.noise):
            return self._noise_free_hessian(matrices)
        operator = self.hessian_operator(matrices)
        columns = operator.matmat(np.eye(operator.shape[0]))
        symmetric: Array = (columns + columns.T) / 2
        return symmetric

    def predictor(self, weights: Weights) -> Array:
        """Return M of E[f(x) | x] = M x + intercept: (m, d), or (d,) for one flat target."""
        product, exponent = self._mean_map(weights)
        linear = product[..., : self.moments.inputs]
        scale = (exponent - self._scale.input_exponent)[..., None, None]
        predictor = _in_range(np.ldexp, linear, scale, name="predictor")
        return predictor[..., 0, :] if self._flat else predictor

    def intercept(self, weights: Weights) -> float | Array:
        """Return the constant part of E[f(x) | x]: (m,), or a float for one flat target."""
        product, exponent = self._mean_map(weights)
        if self.network.bias is False:
            constant = np.zeros(product.shape[:-1])
        else:
            scale = exponent[..., None]
            constant = _in_range(np.ldexp, product[..., -1], scale, name="intercept")
        if not self._flat:
            return constant
        return float(constant[0]) if constant.ndim == 1 else constant[..., 0]

    def energies(self, weights: Weights) -> Array:
        """Return γ‖W‖² of each layer, its biases included where they decay: (D + 1,)."""
        matrices = self._checked(weights)
        if self.network.bias == "free":
            matrices = [matrix[..., :-1] for matrix in matrices]
        roots = []
        for decay, matrix in zip(self.network.weight_decay, matrices, strict=True):
            exponent = largest_exponent(matrix)
            unit = np.ldexp(matrix, -exponent[..., None, None])
            norm = np.sqrt(np.einsum("...ij,...ij->...", unit, unit))
            roots.append(_in_range(np.ldexp, math.sqrt(decay) * norm, exponent, name="energy"))
        return _in_range(np.square, np.stack(roots, axis=-1), name="energy")

    def flatten(self, weights: Weights) -> Array:
        """Return all weights in one vector, layers in order, each in C order."""
        matrices = self._checked(weights)
        batch = matrices[0].shape[:-2]
        parts = [matrix.reshape(*batch, math.prod(matrix.shape[-2:])) for matrix in matrices]
        return np.concatenate(parts, axis=-1)

    def unflatten(self, vector: ArrayLike) -> list[Array]:
        """Return the weight matrices that :meth:`flatten` makes `vector` of."""
        try:
            flat = np.asarray(vector, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidWeights(f"a vector of all weights must be numbers: {error}") from error
        sizes = [rows * columns for rows, columns in self.shapes]
        if flat.ndim == 0 or flat.shape[-1] != sum(sizes):
            raise InvalidWeights(
                f"a vector of all weights has {sum(sizes)} entries, got shape {flat.shape}"
            )
        parts = np.split(flat, np.cumsum(sizes)[:-1], axis=-1)
        return [
            part.reshape(*flat.shape[:-1], *shape)
            for part, shape in zip(parts, self.shapes, strict=True)
        ]

    @property
    def _flat(self) -> bool:
        return self.moments.C.ndim == 1

    @cached_property
    def _scale(self) -> Scale:
        return Scale(self.moments, self.network)

    def _mean_map(self, weights: Weights) -> tuple[Array, Exponents]:
        """Return the matrix of E[f(x) | x], its scaled form and the exponent of its output."""
        matrices = self._checked(weights)
        exponents = self._scale.unit_exponents(matrices)
        first, *later = self._scale.layers(matrices, exponents)
        for matrix in later:
            first = matrix @ first
        return first, exponents[-1]

    def _hessian(self, matrices: list[Array]) -> Callable[[list[Array]], list[Array]]:
        """Return the second derivative of L at checked weights, a map of checked directions."""
        exponents = self._scale.exponents(matrices)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = self._scale.layers(matrices, exponents)
            hessian = propagation.hessian(scaled, *self._scale.data[:-1])

        def product(tangents: list[Array]) -> list[Array]:
            with np.errstate(over="ignore", invalid="ignore"):
                raw = hessian(self._scale.layers(tangents, exponents, constant=0.0))
                return self._with_decay(self._scale.pull_back(raw, exponents), tangents)

        return product

    def _noise_free_hessian(self, matrices: list[Array]) -> Array:
        exponents, data = self._scale.exponents(matrices), self._scale.output_exponent
        decays = 2 * np.array(self.network.weight_decay)
        layers = itertools.pairwise(exponents)
        units = np.array([before - after for before, after in layers]) + data
        unit = self._per_weight(units, data - np.array(exponents[1:]))
        decay = self._per_weight(decays, 0 * decays if self.network.bias == "free" else decays)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = self._scale.layers(matrices, exponents)
            blocks = propagation.NoiseFreeHessian(scaled, *self._scale.data[1:-1])
            raw = blocks.matrix([len(matrix) for matrix in matrices])
            hessian: Array = np.ldexp(raw, unit[:, None] + unit, out=raw)
            hessian *= self.data_factor
        hessian[np.diag_indices(len(hessian))] += decay
        _check_range(hessian, "Hessian")
        return hessian

    def _per_weight(self, values: NDArray[Any], biases: NDArray[Any]) -> NDArray[Any]:
        """Return one value for each weight of a layer and one for its biases, as flattened."""
        parts = []
        for shape, value, bias in zip(self.shapes, values, biases, strict=True):
            part = np.full(shape, value)
            if self.network.bias is not False:
                part[:, -1] = bias
            parts.append(part.ravel())
        return np.concatenate(parts)

    def _with_decay(self, gradients: list[Array], weights: list[Array]) -> list[Array]:
        result = []
        for decay, gradient, matrix in zip(
            self.network.weight_decay, gradients, weights, strict=True
        ):
            decayed = 2 * decay * matrix
            if self.network.bias == "free":
                decayed[..., -1] = 0
            total = self.data_factor * gradient + decayed
            _check_range(total, "gradient")
            result.append(total)
        return result

    def _single(self, weights: Weights, name: str) -> list[Array]:
        matrices = self._checked(weights)
        if matrices[0].ndim > 2:
            raise InvalidWeights(
                f"{name} needs one set of weights, got batch axes {matrices[0].shape[:-2]}; "
                "ask for one member at a time"
            )
        return matrices

    def _checked(self, weights: Weights) -> list[Array]:
        expected = self.shapes
        try:
            count = -1 if isinstance(weights, str) else len(weights)
        except TypeError:  # no length, or none that says how many there are
            count = -1
        if count < 0:
            raise InvalidWeights(
                f"weights are a list of {len(expected)} matrices of shapes {list(expected)}, "
                f"got {type(weights).__name__}"
            )
        if count != len(expected):
            raise InvalidWeights(
                f"expected {len(expected)} weight matrices of shapes {list(expected)}, got {count}"
            )
        matrices = []
        for position, (weight, shape) in enumerate(zip(weights, expected, strict=True)):
            try:
                matrix = np.asarray(weight)
            except ValueError as error:
                raise InvalidWeights(
                    f"weights[{position}] must be a real matrix of shape {shape}, got rows of "
                    "different lengths"
                ) from error
            if matrix.dtype.kind not in "fiub" or matrix.shape[-2:] != shape:
                raise InvalidWeights(
                    f"weights[{position}] must be a real matrix of shape {shape}, "
                    f"got {matrix.dtype} of shape {matrix.shape}"
                )
            if not np.isfinite(matrix).all():
                raise InvalidWeights(f"weights[{position}] has entries that are NaN or infinite")
            matrices.append(matrix.astype(np.float64, copy=False))
        if len({matrix.shape[:-2] for matrix in matrices}) > 1:
            shapes = [matrix.shape for matrix in matrices]
            raise InvalidWeights(f"all weights must have the same batch axes, got shapes {shapes}")
        return matrices


def _in_range(operation: Any, *arguments: Any, name: str) -> Array:
    """Apply a numpy operation whose result must not overflow."""
    with np.errstate(over="ignore"):
        result = np.asarray(operation(*arguments))
    _check_range(result, name)
    return result


def _check_range(values: Array, name: str) -> None:
    if not np.isfinite(values).all():
        raise OutOfRange(
            f"the {name} of these weights is too large for a 64-bit float; rescale data or weights"
        )


def _data_factor(moments: Moments, reduction: Reduction) -> float:
    half = 0.5 if reduction.startswith("half") else 1.0
    if reduction.endswith("mean"):
        return half
    if moments.weight is None:
        raise InvalidMoments(
            f"reduction={reduction!r} needs the number of rows, and these moments have none; "
            "give Moments its n"
        )
    return half * moments.weight
