"""The data of a command: which rows, which columns, in which units."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linscape.errors import InvalidMoments
from linscape.moments import Moments, read_moments
from linscape.moments.files import found_files


@dataclass(frozen=True)
class Source:
    """Where moments come from, in words.

    Attributes
    ----------
    files : tuple of Path
        The files, globs resolved.
    rows : int or None
        Number of rows; None for saved moments that do not know it.
    inputs : int
        Number of inputs, those of --one-hot included.
    names : tuple of str or None
        Names of the inputs.
    target : str
        Name of the target, or names joined by commas.
    sample_weight : str or None
        Name of the column of sample weights.
    dropped : tuple of str
        Columns left out.
    raw : bool
        Whether the units are those of the files.
    """

    files: tuple[Path, ...]
    rows: int | None
    inputs: int
    names: tuple[str, ...] | None
    target: str
    sample_weight: str | None
    dropped: tuple[str, ...]
    raw: bool

    @property
    def unit(self) -> str:
        """What losses are measured in."""
        several = "the sum over the targets of the " if ", " in self.target else ""
        if self.raw:
            return f"{several}squares" if several else f"{self.target} squared"
        if several:
            return f"{several}shares of their variances"
        return f"share of the variance of {self.target}"


def read(
    paths: Sequence[str],
    targets: Sequence[str],
    *,
    sample_weight: str | None,
    drop: Sequence[str],
    one_hot: bool,
    raw: bool,
) -> tuple[Source, Moments]:
    """Read the moments of files, standardised unless `raw`."""
    files = found_files(paths)
    target = targets[0] if len(targets) == 1 else list(targets)
    moments = read_moments(
        files, target=target, sample_weight=sample_weight, drop=drop, one_hot=one_hot
    )
    if moments.mean_x is None and not raw:
        raise InvalidMoments(
            f"the moments saved in {files[0]} have no means, so they cannot be standardised; "
            "give --raw to take them as they are"
        )
    source = Source(
        files=tuple(files),
        rows=moments.n,
        inputs=moments.inputs,
        names=moments.names,
        target=", ".join(targets),
        sample_weight=sample_weight,
        dropped=tuple(drop),
        raw=raw,
    )
    return source, moments if raw else moments.standardized()
