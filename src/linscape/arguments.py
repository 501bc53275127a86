"""What went wrong in a public function, said by its arguments: wrong types, too large numbers."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

import numpy as np
from numpy.typing import ArrayLike

from linscape.errors import InvalidOption, InvalidWeights, LinscapeError, OutOfRange

Function = TypeVar("Function", bound=Callable[..., Any])
Seed = np.random.Generator | int

_WORDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a string",
    NoneType: "None",
}
# what math.log says of what underflowed to zero, since Python 3.14 in the second way
_DOMAIN = ("math domain error", "expected a positive input")
_ADVICE = {"Problem": "make one with linscape.Problem(moments, network)"}


def guarded(function: Function) -> Function:
    """Let the errors of a function be linscape's own, whatever its arguments.

    If it fails on an argument that is not of the type it is annotated with, the error says so. If
    its numbers overflow, or a divisor underflows to zero, `OutOfRange` takes the place of a warning
    and NaN. Its own checks come first, and cost nothing more.

    Examples
    --------
    >>> @guarded
    ... def half(number: float) -> float:
    ...     return number / 2
    >>> half(3)
    1.5
    >>> half("3")
    Traceback (most recent call last):
        ...
    linscape.errors.InvalidOption: half needs number to be a number, got '3'
    """
    wanted = {
        name: parameter.annotation
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.annotation is not parameter.empty
    }

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                return function(*args, **named)
        except LinscapeError:
            raise
        except Exception as error:
            for name, value in (*zip(wanted, args, strict=False), *named.items()):
                if name in wanted and not _fits(value, wanted[name]):
                    raise _refused(function.__name__, name, value, wanted[name]) from error
            if not isinstance(error, ArithmeticError) and not str(error).startswith(_DOMAIN):
                raise
            raise OutOfRange(
                f"{function.__name__} left the range of 64-bit floats on the way ({error}); "
                "rescale the data, the weights or the options"
            ) from error

    return cast(Function, call)


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value is of a type; of what is not known here, it is."""
    if isinstance(wanted, str):  # a class that is imported for its type alone
        return wanted in (cls.__name__ for cls in type(value).__mro__)
    if wanted == Seed:
        return isinstance(value, np.random.Generator) or (_fits(value, int) and value >= 0)
    members = _members(wanted)
    if len(members) > 1:
        return any(_fits(value, member) for member in members)
    if members == (ArrayLike,):
        return _is_numeric(value)
    if get_origin(wanted) is not None:
        return _fits_generic(value, get_origin(wanted), get_args(wanted))
    if wanted in (int, float):
        return _is_number(value, whole=wanted is int)
    if wanted is bool:
        return isinstance(value, bool | np.bool_)
    return wanted is Any or not isinstance(wanted, type) or isinstance(value, wanted)


def _members(wanted: Any) -> tuple[Any, ...]:
    """Return the members of a union, `ArrayLike` as one of them."""
    if get_origin(wanted) not in (Union, UnionType):
        return (wanted,)
    members, arrays = get_args(wanted), get_args(ArrayLike)
    if not set(arrays) <= set(members):
        return members
    return (ArrayLike, *(member for member in members if member not in arrays))


def _fits_generic(value: Any, origin: Any, parts: tuple[Any, ...]) -> bool:
    if origin is Literal:
        return isinstance(value, str | bool | NoneType)
    if origin is Sequence:
        if isinstance(value, str):
            return parts[0] is str
        listed = hasattr(value, "__len__") and hasattr(value, "__getitem__")
        listed = listed and not isinstance(value, Mapping) and getattr(value, "ndim", 1) > 0
        return listed and all(_fits(part, parts[0]) for part in value)
    if origin is Iterable:
        return hasattr(value, "__iter__") and getattr(value, "ndim", 1) > 0
    return not isinstance(origin, type) or isinstance(value, origin)


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, int | np.integer):
        return whole or abs(int(value)) <= sys.float_info.max
    return not whole and isinstance(value, float | np.floating)


def _is_numeric(value: Any) -> bool:
    """Whether a value is an array of real numbers, or nested sequences of them."""
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except (ValueError, TypeError):
        return False


def _refused(function: str, name: str, value: Any, wanted: Any) -> Exception:
    """Return the error for an argument of another type."""
    got = repr(value) if isinstance(value, _SHOWN) else f"an object of type {type(value).__name__}"
    advice = _ADVICE.get(getattr(wanted, "__name__", ""), "")
    message = f"{function} needs {name} to be {_worded(wanted)}, got {got[:80]}"
    error = InvalidWeights if wanted == Sequence[ArrayLike] else InvalidOption
    return error(f"{message}; {advice}" if advice else message)


_SHOWN = (bool, int, float, str, NoneType, np.generic)


def _worded(wanted: Any) -> str:
    """Return a type in words."""
    members = _members(wanted)
    if wanted == Seed:
        return "a numpy Generator or a seed of at least 0"
    if len(members) > 1:
        return " or ".join(map(_worded, members))
    if members == (ArrayLike,):
        return "real numbers"
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(map(repr, get_args(wanted)))}"
    if get_origin(wanted) in (Sequence, Iterable):
        return f"a sequence, each of it {_worded(get_args(wanted)[0])}"
    name = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", str(wanted))
    return _WORDS.get(wanted, f"a {name}")
