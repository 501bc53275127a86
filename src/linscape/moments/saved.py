"""Moments of files that `Moments.save` wrote, where rows could be given too."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from pathlib import Path

from linscape.errors import InvalidData
from linscape.moments.moments import Moments
from linscape.moments.tables import quoted


def saved_moments(
    files: Sequence[Path],
    saved: Sequence[Path],
    target: str | Sequence[str] | None,
    *,
    as_they_are: bool,
) -> Moments:
    """Add the moments that files hold.

    Parameters
    ----------
    files, saved : sequence of Path
        The files, and those of them that hold moments, at least one.
    target : str, sequence of str or None
        Names of the targets, which have to be those saved; any name if none were saved.
    as_they_are : bool
        Whether neither weights nor columns are to be chosen.

    Raises
    ------
    InvalidData
        If some files hold rows, or what is wanted is not what was saved.
    InvalidMoments
        If the moments cannot be added.
    """
    if len(saved) < len(files):
        other = next(file for file in files if file not in saved)
        raise InvalidData(
            f"expected only rows or only saved moments, got {saved[0]} with {other}; "
            "read them apart and add the moments"
        )
    if not as_they_are:
        raise InvalidData(
            f"expected only a target for {files[0]}, which holds saved moments, got weights or "
            "columns to choose; choose them when reading the rows"
        )
    moments = reduce(add, map(Moments.load, files))
    if target is not None:
        _check_targets(moments, (target,) if isinstance(target, str) else tuple(target), files[0])
    return moments


def _check_targets(moments: Moments, wanted: tuple[str, ...], file: Path) -> None:
    known = moments.targets
    if wanted == known or (known is None and len(wanted) in (1, moments.outputs)):
        return
    expected = f"one name or {moments.outputs}" if known is None else quoted(known)
    raise InvalidData(
        f"expected target to be {expected} as in the moments saved in {file}, got "
        f"{quoted(wanted)}; for other targets read the rows again"
    )
