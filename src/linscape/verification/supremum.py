r"""The largest gain over all energies, enclosed by branch and bound on s = τK^D/P.

τ times the gain of the energy K is T(s) = g(s) − D·k(s), with k = τK = (Pτ^{D−1}s)^{1/D}. Both g
and k rise, so that T ≤ H between two points if g at the right and k at the left say so. Where that
is too coarse, g is replaced by a chord above it, in one of the two variables in which it has one:
g is convex in μ = 1/s, and q = g/s is convex in s. Either way what must be negative,

    chord(μ) − Dk − H    or    chord(s) − Dk/s − H/s    (H ≥ 0),

is concave, and a concave function lies below its two end tangents. The second form is sharp where s
is small, the first where it is large, so that the ends 0 and ∞ are intervals like any other.
"""

from collections import deque
from typing import NamedTuple

from linscape.verification.balls import arb
from linscape.verification.resolvent import Resolvent

_TOLERANCE = arb(2) ** -64  # of g: how far above the best T found the bound may lie
_PATIENCE = 64  # halvings after which a gain of exactly zero is given up
_LIMIT = 20_000  # intervals


class Gain(NamedTuple):
    """lower ≤ largest gain ≤ upper."""

    lower: arb
    upper: arb


class Point(NamedTuple):
    """s, g(s) and k(s)."""

    s: arb
    g: arb
    k: arb


class Curve(NamedTuple):
    """T(s) = g(s) − D·k(s)."""

    resolvent: Resolvent
    depth: int
    product: arb  # Pτ^{D−1}

    def at(self, s: arb) -> Point:
        """Return the point at s > 0."""
        return Point(s, self.resolvent(s), (self.product * s).root(self.depth))

    def height(self, point: Point) -> arb:
        """Return T."""
        return point.g - self.depth * point.k


class Interval(NamedTuple):
    """From s = left to s = right."""

    left: Point
    right: Point
    halvings: int

    def middle(self) -> arb:
        """Return an exact s inside, in the middle of log s."""
        return (self.left.s * self.right.s).sqrt().mid()

    def parts(self, point: Point) -> "tuple[Piece, Piece]":
        """Return both sides of a point."""
        halvings = self.halvings + 1
        return Interval(self.left, point, halvings), Interval(point, self.right, halvings)

    def is_below(self, curve: Curve, bound: arb) -> bool:
        """Say whether T ≤ bound is proven here."""
        if self.right.g - curve.depth * self.left.k <= bound:
            return True
        ends = curve.height(self.left) - bound, curve.height(self.right) - bound
        below = ends[0] <= 0 and ends[1] <= 0
        return below and (self._by_s(curve, bound, ends) or self._by_ridge(ends))

    def _by_s(self, curve: Curve, bound: arb, ends: tuple[arb, arb]) -> bool:
        """Prove chord(s) − Dk/s − H/s ≤ 0."""
        left, right = self.left, self.right
        width = right.s - left.s
        chord = (right.g / right.s - left.g / left.s) / width
        steep = chord + ((curve.depth - 1) * left.k + bound) / left.s**2
        flat = chord + ((curve.depth - 1) * right.k + bound) / right.s**2
        return _concave_below_zero(ends[0] / left.s, ends[1] / right.s, steep, flat, width)

    def _by_ridge(self, ends: tuple[arb, arb]) -> bool:
        """Prove chord(μ) − Dk − H ≤ 0 with μ = 1/s, which falls as s rises."""
        left, right = self.left, self.right
        width = 1 / left.s - 1 / right.s
        chord = (left.g - right.g) / width
        steep, flat = chord + right.k * right.s, chord + left.k * left.s
        return _concave_below_zero(ends[1], ends[0], steep, flat, width)


class NearZero(NamedTuple):
    """From s = 0 to s = right."""

    right: Point
    halvings: int

    def middle(self) -> arb:
        """Return an exact s inside, in ever longer steps towards zero."""
        return self.right.s / _step(self.halvings)

    def parts(self, point: Point) -> "tuple[Piece, Piece]":
        """Return both sides of a point."""
        halvings = self.halvings + 1
        return NearZero(point, halvings), Interval(point, self.right, halvings)

    def is_below(self, curve: Curve, bound: arb) -> bool:
        """Prove T ≤ bound: the form in s rises or, for D = 1 and H = 0, is linear."""
        right, q_zero = self.right, curve.resolvent.start
        if right.g <= bound:
            return True
        if not curve.height(right) <= bound:
            return False
        if curve.depth == 1 and bound.is_zero():
            return bool(q_zero <= curve.product)
        chord = (right.g / right.s - q_zero) / right.s
        return bool(chord + ((curve.depth - 1) * right.k + bound) / right.s**2 >= 0)


class Beyond(NamedTuple):
    """From s = left to infinity."""

    left: Point
    halvings: int

    def middle(self) -> arb:
        """Return an exact s inside, in ever longer steps."""
        return self.left.s * _step(self.halvings)

    def parts(self, point: Point) -> "tuple[Piece, Piece]":
        """Return both sides of a point."""
        halvings = self.halvings + 1
        return Interval(self.left, point, halvings), Beyond(point, halvings)

    def is_below(self, curve: Curve, bound: arb) -> bool:
        """Prove T ≤ bound: the form in μ rises from μ = 0."""
        left = self.left
        if curve.resolvent.end - curve.depth * left.k <= bound:
            return True
        chord = (left.g - curve.resolvent.end) * left.s
        return bool(curve.height(left) <= bound and chord + left.k * left.s >= 0)


Piece = NearZero | Interval | Beyond


def largest_gain(curve: Curve, start: arb) -> Gain | None:
    """Enclose the largest of T(s), s > 0, and T(0) = 0; None if that does not end.

    Parameters
    ----------
    curve : Curve
        T.
    start : arb
        Any s > 0, exact: where the search begins.
    """
    first = curve.at(start)
    best, slack, upper = arb(0), arb(0), arb(0)
    queue: deque[Piece] = deque([NearZero(first, 0), Beyond(first, 0)])
    for _ in range(_LIMIT):
        if not queue:
            return Gain(best, upper)
        piece = queue.popleft()
        if piece.is_below(curve, best + slack):
            upper = upper.max(best + slack)
            continue
        point = curve.at(piece.middle())
        height = curve.height(point).lower()
        if height > best:
            best, slack = height, (point.g * _TOLERANCE).upper()
        elif piece.halvings > _PATIENCE and best.is_zero():
            slack = (point.g * _TOLERANCE).upper()
        queue.extend(piece.parts(point))
    return None


def _step(halvings: int) -> arb:
    return arb(2) ** (1 << min(halvings, 12))


def _concave_below_zero(left: arb, right: arb, steep: arb, flat: arb, width: arb) -> bool:
    """Say whether a concave function is proven ≤ 0, its end values being ≤ 0, by its end slopes."""
    if steep <= 0 or flat >= 0:
        return True
    crossing = (right - left - flat * width) / (steep - flat)
    return bool(left + steep * crossing <= 0)
