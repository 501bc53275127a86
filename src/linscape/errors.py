"""What can go wrong, one class each.

Every message says what was expected, what came, where, and what to do next.
"""


class LinscapeError(Exception):
    """Anything linscape reports about its input; catch it to catch them all."""


class InvalidData(LinscapeError, ValueError):
    """Rows or columns that cannot be turned into moments: NaN, text, no rows, no such target."""


class InvalidMoments(LinscapeError, ValueError):
    """Second moments that no data can have, or that do not fit together."""


class InvalidNetwork(LinscapeError, ValueError):
    """A width, noise variance, decay or dropout rate outside its range, or of the wrong length."""


class InvalidWeights(LinscapeError, ValueError):
    """Weight matrices whose number or shapes are not those of the network."""


class InvalidOption(LinscapeError, ValueError):
    """An argument of a call outside its choices or its range: a scheme, a tolerance, a count."""


class UnreadableFile(LinscapeError, OSError):
    """A file that is missing, damaged, or of a kind that cannot be read."""


class ClusterFailure(LinscapeError, RuntimeError):
    """Processes or a cluster that were to do the work stopped, or cannot be reached."""


class NoExactSolution(LinscapeError):
    """No theorem covers the problem; the message names the hypothesis that fails."""


class NeedsDenseMoments(LinscapeError, TypeError):
    """The answer needs the matrix E[xxᵀ] itself, and the moments hold it as an operator."""


class OutOfRange(LinscapeError, ArithmeticError):
    """The answer exists but is too large or too small for a 64-bit float."""


class MissingDependency(LinscapeError, ImportError):
    """An optional package is not installed; the message says what to install."""
