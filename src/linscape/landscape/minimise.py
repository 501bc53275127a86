"""The global minimum of any problem that a theorem covers."""

from linscape.arguments import guarded
from linscape.landscape.biases import decayed_bias_minimum
from linscape.landscape.krylov import krylov_minimum
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.solver import undecayed_minimum
from linscape.problem import Problem


@guarded
def global_minimum(problem: Problem) -> GlobalMinimum:
    r"""Return the global minimum of the loss over all weights, exactly.

    With one output and every decay positive (no biases, or biases free of decay), any depth D ≥ 1,
    widths, noise and moments:

    .. math:: \min L = \min_{K ≥ 0} E[y²] + D·K − cᵀ[τA + P K^{−D} I]^{−1} c

    where K = γ‖W‖² is the energy that every layer carries, τ the inflation and P the decay product.
    All critical points of this function are isolated by branch and bound, so the least is proven to
    be the least. Also covered: no hidden layer (ridge regression, any number of outputs), and no
    decay at all (least squares of minimum norm, K = 0).

    Several outputs without decay or noise in the hidden layers: the minimum is that of reduced-rank
    regression, over the matrices of rank at most the least width,

    .. math:: \min L = E‖y‖² − Σ_{i < \min_k d_k} λ_i

    with λ the eigenvalues, descending, of E[yxᵀ]E[xxᵀ]⁺E[xyᵀ]; d_0 = d and d_{D+1} = m count too.

    Several outputs under weight decay: zero where the decay is above the learning transition, which
    is exact; regression with a nuclear norm (one hidden layer); mode by mode (inputs of one
    variance); at any depth, for any data without noise, the best orthonormal output directions,
    where a matrix above all one-output gains certifies them; with noise where the proven interval
    closes. `source` names which; docs/outputs.md proves them.

    Moments that keep E[xxᵀ] as an operator (:meth:`linscape.Moments.from_operator`) are solved from
    Lanczos steps, between Gauss quadratures whose rounding is estimated, not proven.

    Biases that decay with their layers are covered too: Theorem 5, corrected, for one hidden layer;
    Theorem 6 for means of zero; beyond, a search whose interval is proven (see `source`).

    The result holds for the stored moments, taken as exact; directions whose variance cannot be
    told from zero are taken to have none.

    Parameters
    ----------
    problem : Problem
        Moments, network and reduction.

    Returns
    -------
    GlobalMinimum
        Loss with its interval, gain, energy, predictor, weights, certificate.

    Raises
    ------
    NoExactSolution
        If no theorem covers the problem: some decays zero and others not; several outputs with
        noise and no decay, with biases that decay, or with a proven interval wider than 1e-8 of the
        gain: :func:`linscape.search_minimum` gives that.
    OutOfRange
        If the answer is too large or too small for a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), *Exact solutions of a deep linear network*, Theorems 1 and 2; Lu &
    Kawaguchi (2017), *Depth creates no bad local minima*.

    Examples
    --------
    One input, one hidden layer, A = c = E[y²] = 1 and γ = ½: the loss is (1 − p)² + 2γ|p|, least at
    p = ½, where it is ¾ and each layer carries the energy γ|p| = ¼.

    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> minimum = ls.global_minimum(ls.Problem(moments, ls.Network(hidden=(3,), weight_decay=0.5)))
    >>> round(minimum.loss, 12), round(minimum.energy, 12), minimum.is_trivial
    (0.75, 0.25, False)
    """
    if problem.network.bias == "decayed":
        return decayed_bias_minimum(problem)
    if problem.moments.is_operator:
        return krylov_minimum(problem)
    return undecayed_minimum(problem)
