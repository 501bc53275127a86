"""Which kernel: compiled for the shapes where that pays, else numpy's matrix products."""

from collections.abc import Callable

from linscape.dynamics.kernels import compiled, matrices
from linscape.problem import Problem

# measured: beyond it the rows of a matrix no longer fit the registers, and BLAS is as fast
_WIDEST = 16

# rough seconds of numpy for a product of two matrices: each step, each net, each multiplication
_CALL, _NET, _MULTIPLICATION = 3e-6, 1e-7, 1.5e-10
# rough seconds of compilation: at least, and for each product of two matrices
_LEAST, _PRODUCT = 2.0, 0.3


def kernel(problem: Problem, nets: int, steps: int) -> Callable[..., None]:
    """Return the `advance` that a job of so many nets and steps is best done with.

    It depends on the job alone, not on what happens to be compiled already, so that the same call
    gives the same bits. Both kernels agree up to rounding.
    """
    shapes = problem.shapes
    widest = max(max(shape) for shape in shapes)
    if problem.network.bias is not False or widest > _WIDEST:
        return matrices.advance
    each = 7 if any(problem.network.noise) else 3
    products = each * len(shapes)
    multiplications = each * sum(rows * columns for rows, columns in shapes) * widest
    by_net = products * _NET + multiplications * _MULTIPLICATION
    by_numpy = steps * (products * _CALL + nets * by_net)
    return compiled.advance if by_numpy > _LEAST + products * _PRODUCT else matrices.advance
