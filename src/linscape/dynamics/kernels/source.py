"""Source of a kernel for given layer shapes: steps of descent for a block of interleaved nets."""

from typing import NamedTuple

from linscape.dynamics.kernels.block import (
    LANES,
    Block,
    Lines,
    Matrix,
    Store,
    each_entry,
    each_lane,
    indented,
    into,
    product,
)


def source(shapes: tuple[tuple[int, int], ...], *, noisy: bool, momentum: str) -> str:
    """Return the source of a module with one function, `advance`.

    Parameters
    ----------
    shapes : tuple of (rows, columns)
        Of the layers, from input to output.
    noisy : bool
        Whether hidden layers have noise.
    momentum : "none", "heavy ball" or "nesterov"
    """
    block = Block()
    layers = [block.matrix(*shape) for shape in shapes]
    velocity = [] if momentum == "none" else [block.matrix(*shape) for shape in shapes]
    gradients = [block.matrix(*shape) for shape in shapes]
    inputs, outputs = shapes[0][1], shapes[-1][0]
    A, C = block.matrix(inputs, inputs), block.matrix(inputs, outputs)
    square, excess = block.matrix(1, 1), block.matrix(1, 1)
    sums = _Sums(layers, velocity, gradients, square, excess)
    backward = _with_noise if noisy else _without_noise
    step = [
        *each_lane([f"{square.at(0, 0)} = 0.0", f"{excess.at(0, 0)} = 0.0"]),
        *backward(block, sums, A, C),
        *_stop(square, excess),
        *_update(layers, velocity, gradients, momentum),
    ]
    entries = sum(rows * columns for rows, columns in shapes)
    return "\n".join(_module(step, block.size, entries, (A, C), bool(velocity), len(shapes)))


class _Sums(NamedTuple):
    """Where the gradient goes, and what is summed on the way."""

    layers: list[Matrix]
    velocity: list[Matrix]
    gradients: list[Matrix]
    square: Matrix
    excess: Matrix

    def finish(self, k: int, value: str, row: str, column: str) -> Lines:
        """Add the decay to an entry of layer k's gradient, store it, and add to the sums."""
        w = self.layers[k].at(row, column)
        lines = [
            f"w = {w}",
            f"g = {value} + pull{k}*w",
            f"{self.gradients[k].at(row, column)} = g",
            "squares += g*g",
            "decays += w*w",
        ]
        if self.velocity:
            v = self.velocity[k].at(row, column)
            lines.append(f"squares += {v}*{v}")
        return lines

    def before(self) -> Lines:
        return ["squares = 0.0", "decays = 0.0", "fits = 0.0"]

    def after(self, k: int) -> Lines:
        return [
            f"{self.square.at(0, 0)} += scale{k}*squares",
            f"{self.excess.at(0, 0)} += fits + pull{k}*decays",
        ]


def _without_noise(block: Block, sums: _Sums, A: Matrix, C: Matrix) -> Lines:
    """Descend on the product of the layers, on which alone the data term depends."""
    layers = sums.layers
    lines: Lines = []
    products = [layers[0]]
    for layer in layers[1:]:
        products.append(block.matrix(layer.rows, A.rows))
        lines += product(layer, products[-2], into(products[-1]))
    whole, residual = products[-1], block.matrix(C.columns, A.rows)

    def subtract_signal(value: str, i: str, j: str) -> Lines:
        c = C.T.at(i, j)
        return [
            f"r = {value} - {c}",
            f"{residual.at(i, j)} = r",
            f"fits += {whole.at(i, j)}*(r - {c})",
        ]

    after = [f"{sums.excess.at(0, 0)} += fits"]
    lines += product(whole, A, subtract_signal, ["fits = 0.0"], after)
    for k in range(len(layers) - 1, 0, -1):
        lines += product(
            residual, products[k - 1].T, _finishing(sums, k), sums.before(), sums.after(k)
        )
        before, residual = residual, block.matrix(layers[k].columns, A.rows)
        lines += product(layers[k].T, before, into(residual))
    body = sums.finish(0, residual.at("i", "j"), "i", "j")
    return lines + each_entry(residual, [*sums.before(), *body, *sums.after(0)])


def _with_noise(block: Block, sums: _Sums, A: Matrix, C: Matrix) -> Lines:
    """Take second moments forward and their adjoint back: see :mod:`linscape.propagation`."""
    *hidden, output = sums.layers
    lines: Lines = []
    S, signals = [A], [C]
    for k, layer in enumerate(hidden):
        half = block.matrix(layer.rows, layer.columns)
        S.append(block.matrix(layer.rows, layer.rows))
        signals.append(block.matrix(layer.rows, C.columns))
        lines += product(layer, S[k], into(half))
        lines += product(half, layer.T, into(S[-1]))
        lines += _inflate(S[-1], k)
        lines += product(layer, signals[k], into(signals[-1]))

    last = len(hidden)

    def by_output(value: str, i: str, j: str) -> Lines:
        c = signals[-1].T.at(i, j)
        first = [f"r = {value} - {c}", f"fits += {output.at(i, j)}*(r - {c})"]
        return first + sums.finish(last, "r", i, j)

    lines += product(output, S[-1], by_output, sums.before(), sums.after(last))
    Q, B = block.matrix(output.columns, output.columns), output
    lines += product(output.T, output, into(Q))
    for k in range(last - 1, -1, -1):
        layer, own = hidden[k], sums.gradients[k]
        half = block.matrix(layer.rows, layer.columns)
        lines += _inflate(Q, k)
        lines += product(Q, layer, into(half))
        lines += product(half, S[k], into(own))

        def subtract_signal(value: str, i: str, j: str, k: int = k, own: Matrix = own) -> Lines:
            return sums.finish(k, f"{own.at(i, j)} - ({value})", i, j)

        lines += product(B.T, signals[k].T, subtract_signal, sums.before(), sums.after(k))
        if k:
            Q, above = block.matrix(layer.columns, layer.columns), B
            B = block.matrix(output.rows, layer.columns)
            lines += product(layer.T, half, into(Q))
            lines += product(above, layer, into(B))
    return lines


def _finishing(sums: _Sums, k: int) -> Store:
    return lambda value, i, j: sums.finish(k, value, i, j)


def _inflate(matrix: Matrix, k: int) -> Lines:
    """Multiply the diagonal by 1 + σ²."""
    body = each_lane([f"{matrix.at('i', 'i')} *= inflation{k}"])
    return [f"for i in range({matrix.rows}):", *indented(body)]


def _stop(square: Matrix, excess: Matrix) -> Lines:
    return [
        "moving = 0",
        *each_lane(
            [
                "if status[b, l] == 0:",
                f"    square = {square.at(0, 0)}",
                f"    inside = {excess.at(0, 0)} <= limit[b, l] and square*bound[b, l] < largest",
                "    if inside and square > threshold[b, l]:",
                "        moving += 1",
                "    else:",
                "        status[b, l] = 1 if inside else 2",
                "        stopped_at[b, l] = step",
                "        rate[l] = 0.0",
            ]
        ),
        "if moving == 0:",
        "    break",
    ]


def _update(
    layers: list[Matrix], velocity: list[Matrix], gradients: list[Matrix], momentum: str
) -> Lines:
    """Move the nets that have not stopped; the gradient of the others may be NaN."""
    lines: Lines = []
    for k, layer in enumerate(layers):
        own = gradients[k].at("i", "j")
        body = [f"u = {own}"]
        if velocity:
            v = velocity[k].at("i", "j")
            body += [f"v = momentum*{v} + u", f"{v} = v"]
            body.append("u = u + momentum*v" if momentum == "nesterov" else "u = v")
        w = layer.at("i", "j")
        body.append(f"{w} -= rate[l]*scale{k}*u if rate[l] > 0.0 else 0.0")
        lines += each_entry(layer, body)
    return lines


def _module(
    step: Lines,
    size: int,
    entries: int,
    data: tuple[Matrix, Matrix],
    moves: bool,
    layers: int,
) -> Lines:
    A, C = data
    state = [("layers", 0)] + ([("velocity", entries)] if moves else [])
    lines = [
        "import numpy as np",
        "",
        "",
        "def advance(layers, velocity, step_size, limit, threshold, bound, status, stopped_at,",
        "            A, C, scale, pull, inflation, momentum, largest, first, count):",
        f"    t = np.empty({size * LANES})",
        f"    rate = np.empty({LANES})",
    ]
    lines += [f"    scale{k} = scale[{k}]" for k in range(layers)]
    lines += [f"    pull{k} = pull[{k}]" for k in range(layers)]
    lines += [f"    inflation{k} = inflation[{k}]" for k in range(layers - 1)]
    for matrix, name in ((A, "A"), (C, "C")):
        lines += indented(each_entry(matrix, [f"{matrix.at('i', 'j')} = {name}[i, j]"]))
    lines += ["    for b in range(layers.shape[0]):"]
    lines += indented(each_lane(["rate[l] = step_size[b, l] if status[b, l] == 0 else 0.0"]), 2)
    for name, offset in state:
        lines += [
            f"        for k in range({entries * LANES}):",
            f"            t[{offset * LANES} + k] = {name}[b, k]",
        ]
    lines += ["        for step in range(first, first + count):", *indented(step, 3)]
    for name, offset in state:
        lines += [
            f"        for k in range({entries * LANES}):",
            f"            {name}[b, k] = t[{offset * LANES} + k]",
        ]
    return [*lines, ""]
