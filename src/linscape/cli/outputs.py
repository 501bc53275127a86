"""The files that a command writes: all of them, or none."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linscape import plots
from linscape.cli.document import as_text
from linscape.cli.source import Source
from linscape.errors import NoExactSolution, OutOfRange, UnreadableFile
from linscape.landscape import mode_path
from linscape.report import Report, curve
from linscape.verification import certificate_document

_IMAGES = (".png", ".svg", ".pdf")
_DECAYS = 80
_MOST_WEIGHTS = 2**30  # 8 GB


@dataclass(frozen=True)
class Outputs:
    """Where the plot and the weights go, if anywhere."""

    plot: Path | None
    save: Path | None
    certificate: Path | None

    @classmethod
    def of(
        cls, plot: str | None, save: str | None = None, certificate: str | None = None
    ) -> "Outputs":
        """Check the names before any work is done."""
        outputs = cls(
            None if plot is None else Path(plot),
            None if save is None else Path(save),
            None if certificate is None else Path(certificate),
        )
        if outputs.plot and outputs.plot.suffix.lower() not in _IMAGES:
            raise UnreadableFile(f"--plot needs a name ending in .png, .svg or .pdf, got {plot!r}")
        if outputs.save and outputs.save.suffix.lower() != ".npz":
            raise UnreadableFile(f"--save needs a name ending in .npz, got {save!r}")
        for file in outputs._files():
            if file.is_dir():
                raise UnreadableFile(f"cannot write {file}: it is a folder; give another name")
        return outputs

    def spare(self, inputs: Sequence[Path]) -> None:
        """Refuse to write over the data."""
        for file in self._files():
            if file.exists() and any(file.samefile(data) for data in inputs):
                raise UnreadableFile(f"{file} is the data itself; give --save another name")

    def contents(
        self, source: Source, found: Report, facts: Mapping[str, Any]
    ) -> list[tuple[Path, bytes]]:
        """Return what is to be written, complete, before anything is."""
        contents = []
        if self.save:
            contents.append((self.save, _weights(found)))
            contents.append((self.save.with_suffix(".json"), (as_text({**facts}) + "\n").encode()))
        if self.certificate:
            proof = as_text(certificate_document(found.minimum)) + "\n"
            contents.append((self.certificate, proof.encode()))
        if self.plot:
            contents.append((self.plot, _image(self.plot.suffix.lower(), source, found)))
        return contents

    def _files(self) -> list[Path]:
        saved = [] if self.save is None else [self.save, self.save.with_suffix(".json")]
        return [*saved, *(file for file in (self.certificate, self.plot) if file is not None)]


def _weights(found: Report) -> bytes:
    minimum = found.minimum
    count = sum(rows * columns for rows, columns in found.problem.shapes)
    if count > _MOST_WEIGHTS:
        raise OutOfRange(
            f"--save would write {count} weights, at most {_MOST_WEIGHTS} fit; the loss does not "
            "depend on the widths without noise: give narrower layers"
        )
    transform = found.problem.moments.transform
    *layers, last = minimum.weights()
    arrays: dict[str, Any] = {f"W_{k}": layer for k, layer in enumerate(layers, start=1)}
    arrays |= {"U": last, "predictor": minimum.predictor, "intercept": minimum.intercept}
    for name in ("shift_x", "scale_x", "shift_y", "scale_y"):
        arrays[name] = getattr(transform, name)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _image(suffix: str, source: Source, found: Report) -> bytes:
    if found.problem.moments.outputs > 1:
        return _modes_image(suffix, source, found)
    if not found.has_energy_curve:
        raise NoExactSolution(
            "--plot draws the loss over the energy of the layers: that needs --hidden with a "
            "layer at least and --weight-decay above zero"
        )
    depth = found.problem.network.depth
    energies, losses = curve(found)
    figure = plots.energy(
        energies,
        losses,
        found.solutions,
        found.minimum,
        ridge=found.ridge.loss,
        unit=source.unit,
        title=f"{depth} hidden layer{'s' if depth > 1 else ''}: {found.phase.name}",
    )
    return plots.rendered(figure, suffix)


def _modes_image(suffix: str, source: Source, found: Report) -> bytes:
    """Draw the modes of several outputs over the decays up to a little above learning."""
    if found.problem.network.depth == 0 or not found.critical.learning > 0:
        raise NoExactSolution(
            "--plot draws the modes of several targets over the weight decay: that needs --hidden "
            "with a layer at least, and a target that some input is correlated with"
        )
    decays = found.critical.learning * np.geomspace(1e-3, 1.3, _DECAYS)
    figure = plots.modes(
        mode_path(found.problem, weight_decay=decays),
        critical=found.critical,
        title=f"{source.target}: hidden widths {list(found.problem.network.hidden)}",
    )
    return plots.rendered(figure, suffix)
