"""An ordinary differential equation, explicitly while that pays and implicitly once it is stiff."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LOOK_EVERY = 40  # steps between two looks at stiffness and rest
_HELD_BACK = 3.0  # step times curvature; explicit steps become unstable near 6
_WORTH_IT = 2000  # explicit steps still to go that pay for implicit ones
_NEWTON = 1e-3  # of the tolerance of a step; scipy's own choice is below rounding for small rtol
_ROUNDING = 64 * np.finfo(np.float64).eps


class System(NamedTuple):
    """ẏ = f(y), of which the first `moving` variables do not depend on the others.

    The Jacobian may leave out how the others depend on them. Without it only explicit steps are
    taken, to the end.
    """

    field: Callable[[Array], Array]
    jacobian: Callable[[Array], Array] | None
    moving: int


class Path(NamedTuple):
    """States at the times asked for, the last one repeated from where the integration ended."""

    states: Array
    reached: float
    end: str


def integrate(
    system: System, start: Array, at: Array, *, rtol: float, atol: Array, max_steps: int
) -> Path:
    """Integrate from time 0 through the times `at`.

    It ends earlier if no step is small enough ("diverged"), if f is below its own rounding error,
    so that nothing moves any more ("converged"), or after `max_steps` ("running").
    """
    states = np.repeat(start[None], len(at), axis=0)
    if not np.isfinite(system.field(start)).all():
        return Path(states, 0.0, "diverged")
    solver, count = _explicit(system, start, at[-1], rtol, atol), 0
    for k, target in enumerate(at):
        # steps end at the times asked for: interpolants are less accurate than the steps
        solver.t_bound = target
        while solver.t < target:
            solver.status = "running"
            if count >= max_steps or not _stepped(solver):
                end = "diverged" if solver.status == "failed" else "running"
                return Path(states, float(solver.t), end)
            states[k:] = solver.y
            count += 1
            if count % _LOOK_EVERY == 0 and system.jacobian is not None:
                jacobian = system.jacobian(solver.y)
                if _is_at_rest(solver, jacobian, system.moving):
                    return Path(states, float(solver.t), "converged")
                if _is_stiff(solver, jacobian, at[-1]):
                    solver = _implicit(solver, system, target, rtol, atol)
    return Path(states, float(at[-1]), "running")


def _explicit(system: System, start: Array, end: float, rtol: float, atol: Array) -> Any:
    from scipy.integrate import DOP853

    with np.errstate(all="ignore"):
        solver = DOP853(lambda _, y: system.field(y), 0.0, start, end, rtol=rtol, atol=atol)
    if not np.isfinite(solver.h_abs):  # the trial step of scipy's guess left the range
        fastest = np.abs(solver.f).max()
        solver.h_abs = 1e-3 * np.abs(start).max() / fastest if fastest > 0 else end
    return solver


def _implicit(explicit: Any, system: System, end: float, rtol: float, atol: Array) -> Any:
    from scipy.integrate import Radau

    jacobian = system.jacobian
    assert jacobian is not None
    solver = Radau(
        lambda _, y: system.field(y),
        explicit.t,
        explicit.y,
        end,
        jac=lambda _, y: jacobian(y),
        rtol=rtol,
        atol=atol,
    )
    solver.newton_tol = max(solver.newton_tol, _NEWTON)
    return solver


def _stepped(solver: Any) -> bool:
    """Take one step; False if none is small enough."""
    with np.errstate(all="ignore"):
        try:
            solver.step()
        except (ValueError, np.linalg.LinAlgError):  # factors of what is not finite
            solver.status = "failed"
    return bool(solver.status != "failed")


def _is_at_rest(solver: Any, jacobian: Array, moving: int) -> bool:
    """Return whether every f_i is below its rounding error, about ε Σ_j |J_ij y_j|."""
    error = _ROUNDING * np.abs(jacobian) @ np.abs(solver.y)
    return bool(np.all(np.abs(solver.f[:moving]) <= error[:moving]))


def _is_stiff(solver: Any, jacobian: Array, end: float) -> bool:
    """Return whether stability holds explicit steps back, with many still to come."""
    from scipy.integrate import DOP853

    if not isinstance(solver, DOP853):
        return False
    many = (end - solver.t) / solver.step_size > _WORTH_IT
    return bool(many and solver.step_size * np.linalg.norm(jacobian, ord=2) > _HELD_BACK)
