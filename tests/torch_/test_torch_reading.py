"""Models read: architecture, noise, decays, in the order of the forward pass."""

import numpy as np
import pytest
import torch
from models import chain, linears
from torch import nn
from torch.nn import functional

import linscape as ls
from linscape.errors import InvalidData, InvalidWeights, NoExactSolution
from linscape.torch import read


def sgd(model, decay=0.2):
    return torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=decay)


class Misordered(nn.Module):
    """Registered from output to input, with functions among the modules."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(6, 2, bias=False)
        self.drop = nn.Dropout(0.2)
        self.first = nn.Linear(8, 6, bias=False)

    def forward(self, x):
        x = self.drop(x.view(x.size(0), -1))
        x = functional.dropout(torch.relu(self.first(x)), 0.5, training=self.training)
        return self.last(x)


class Branching(Misordered):
    """The same with control flow, which torch.fx cannot trace."""

    def forward(self, x):
        x = x.flatten(1)
        x = self.drop(x)
        if x.sum() > 1e9:
            x = x + 1
        return self.last(self.first(x))


class HiddenFunction(Misordered):
    """Control flow, and a function between modules that hooks do not see."""

    def forward(self, x):
        x = x.flatten(1)
        if x.sum() > 1e9:
            x = x + 1
        return self.last(functional.dropout(self.first(x), 0.5, training=self.training))


def test_the_order_is_that_of_the_forward_pass():
    for model, noise in ((Misordered(), 1.0), (Branching(), 0.0)):
        for training in (False, True):
            model.train(training)
            reading = read(model, example=torch.randn(4, 2, 4), optimizer=sgd(model))
            assert reading.widths == (8, 6, 2)
            assert [layer.where for layer in reading.layers] == ["first", "last"]
            assert reading.noise == (noise,)
            assert reading.input_noise == 0.25
            assert all(module.training is training for module in model.modules())


def test_what_hooks_do_not_see_is_noticed():
    with pytest.raises(NoExactSolution, match="do not return what it does"):
        read(HiddenFunction(), example=torch.randn(4, 8))


def test_a_model_with_control_flow_needs_an_example():
    with pytest.raises(NoExactSolution, match="give an example"):
        read(Branching())


def test_nested_modules_flatten_identity_and_adjacent_dropouts():
    inner = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Identity(), nn.Dropout(0.2)))
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 5, bias=False), inner, nn.Linear(5, 1, bias=False)
    )
    reading = read(model, example=torch.randn(3, 2, 3), optimizer=sgd(model))
    assert reading.noise == (2 * 1.25 - 1,)
    assert reading.network == ls.Network((5,), noise=1.5, weight_decay=0.1)


def test_decays_come_from_the_groups():
    model = chain((3, 4, 5, 1))
    one, two, three = linears(model)
    groups = [
        {"params": [three.weight], "weight_decay": 0.6},
        {"params": [one.weight, two.weight]},
    ]
    reading = read(model, optimizer=torch.optim.Adam(groups, weight_decay=0.2))
    assert reading.weight_decay == (0.2, 0.2, 0.6)
    assert reading.network.weight_decay == (0.1, 0.1, 0.3)


def test_biases():
    model = chain((3, 4, 1), bias=True)
    matrices = [one.weight for one in linears(model)]
    biases = [one.bias for one in linears(model)]
    assert read(model, optimizer=sgd(model)).bias == "decayed"
    assert read(model, optimizer=sgd(model, 0.0)).bias == "free"
    assert read(model).bias == "free"
    apart = torch.optim.SGD([{"params": matrices, "weight_decay": 0.1}, {"params": biases}])
    assert read(model, optimizer=apart).bias == "free"
    mixed = torch.optim.SGD(
        [{"params": [*matrices, biases[0]], "weight_decay": 0.1}, {"params": [biases[1]]}]
    )
    with pytest.raises(NoExactSolution, match="mixed"):
        read(model, optimizer=mixed)
    last = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 1))
    with pytest.raises(NoExactSolution, match="mixed"):
        read(last, optimizer=sgd(last))
    free = torch.optim.SGD(
        [{"params": [one.weight for one in last], "weight_decay": 0.1}, {"params": [last[1].bias]}]
    )
    assert read(last, optimizer=free).bias == "output"


def test_weights_carry_the_slope_and_decays_its_square():
    model = chain((3, 4, 1), activation=nn.GELU, bias=True)
    reading = read(model, optimizer=sgd(model))
    first, last = reading.weights()
    np.testing.assert_array_equal(first[:, :-1], 0.5 * linears(model)[0].weight.detach().numpy())
    np.testing.assert_array_equal(first[:, -1], 0.5 * linears(model)[0].bias.detach().numpy())
    np.testing.assert_array_equal(last[:, :-1], linears(model)[1].weight.detach().numpy())
    assert reading.network.weight_decay == (0.4, 0.1)
    # so the energies are those of the model
    with torch.no_grad():
        energies = [
            0.1 * float((one.weight**2).sum() + (one.bias**2).sum()) for one in linears(model)
        ]
    products = [
        g * (W**2).sum() for g, W in zip(reading.network.weight_decay, (first, last), strict=True)
    ]
    np.testing.assert_allclose(products, energies, rtol=1e-12)


def test_frozen_layers_in_front_are_a_map_of_the_data():
    front = nn.Sequential(nn.Linear(3, 7), nn.Tanh()).requires_grad_(requires_grad=False)
    model = nn.Sequential(front, nn.Dropout(0.5), nn.Linear(7, 2, bias=False))
    x = torch.randn(5, 3)
    reading = read(model, example=x, optimizer=sgd(model))
    assert reading.widths == (7, 2)
    assert (reading.input_noise, reading.depth) == (1.0, 0)
    torch.testing.assert_close(reading.features(x), front(x))
    # the same with gradients on, but left out of the optimiser
    front.requires_grad_(requires_grad=True)
    again = read(model, optimizer=torch.optim.SGD(model[2].parameters(), weight_decay=0.2))
    assert again.widths == (7, 2)


def test_dropout_before_relu_is_dropout_after_it():
    for steps in ((nn.Dropout(0.5), nn.ReLU()), (nn.ReLU(), nn.Dropout(0.5))):
        model = nn.Sequential(nn.Linear(3, 4, bias=False), *steps, nn.Linear(4, 1, bias=False))
        reading = read(model)
        assert (reading.noise, reading.kind) == ((1.0,), "homogeneous")


def test_a_layer_alone_is_a_model():
    layer = nn.Linear(3, 2, bias=False)
    reading = read(layer, example=torch.randn(4, 3), optimizer=sgd(layer))
    assert (reading.widths, reading.network) == ((3, 2), ls.Network((), weight_decay=0.1))


# ---- Activations: the table against autograd


SMOOTH = [
    nn.Tanh(),
    nn.Softsign(),
    nn.ELU(),
    nn.CELU(2.0),
    nn.Hardtanh(),
    nn.Mish(),
    nn.SiLU(),
    nn.GELU(),
    nn.GELU(approximate="tanh"),
    nn.Hardswish(),
]


@pytest.mark.parametrize("module", SMOOTH, ids=repr)
def test_slopes_are_the_derivatives_at_zero(module):
    model = nn.Sequential(nn.Linear(2, 3), module, nn.Linear(3, 1))
    reading = read(model, example=torch.randn(4, 2))
    assert reading.kind == "smooth"
    z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    value = module(z)
    value.sum().backward()
    assert float(value.detach()) == 0
    assert reading.slopes[0] == pytest.approx(float(z.grad), abs=1e-12)
    for side in (-1e-6, 1e-6):  # both sides: a kink has two slopes
        quotient = float(module(torch.tensor([side], dtype=torch.float64))) / side
        assert quotient == pytest.approx(reading.slopes[0], abs=1e-5)  # a difference quotient


@pytest.mark.parametrize("module", [nn.ReLU(), nn.LeakyReLU(0.3)], ids=repr)
def test_homogeneous_activations_are(module):
    reading = read(nn.Sequential(nn.Linear(2, 3), module, nn.Linear(3, 1)))
    z = torch.randn(50, dtype=torch.float64)
    torch.testing.assert_close(module(2.5 * z), 2.5 * module(z))
    assert bool((module(z).abs() <= z.abs()).all())
    mean = (module(torch.ones(1)) - module(-torch.ones(1))) / 2
    assert reading.slopes[0] == pytest.approx(float(mean), abs=1e-7)  # float32


# ---- Refused by name


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.two(x + self.one(x))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(3, 3)

    def forward(self, x):
        return self.one(self.one(x))


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(3, 3)

    def forward(self, x):
        return 2 * self.one(x)


def tied():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    return model


def partly_frozen(name):
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module, _, parameter = name.partition(".")
    for key, value in model[int(module)].named_parameters():
        value.requires_grad_(requires_grad=bool(parameter) and key != parameter)
    return model


def between(*steps):
    return nn.Sequential(nn.Linear(3, 3), *steps, nn.Linear(3, 3))


REFUSED = {
    "BatchNorm1d": (between(nn.BatchNorm1d(3)), "1 .BatchNorm1d.: a normalisation layer"),
    "LayerNorm": (between(nn.LayerNorm(3)), "1 .LayerNorm.: a normalisation layer"),
    "weight norm": (
        between(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))),
        "1 .Parametrized",
    ),
    "spectral norm": (
        between(nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))),
        "1 .Parametrized",
    ),
    "old spectral norm": (between(nn.utils.spectral_norm(nn.Linear(3, 3))), "SpectralNorm"),
    "Conv1d": (nn.Sequential(nn.Conv1d(1, 1, 3)), "0 .Conv1d.: a convolution"),
    "AlphaDropout": (between(nn.AlphaDropout(0.2)), "1 .AlphaDropout."),
    "Dropout2d": (between(nn.Dropout2d(0.2)), "1 .Dropout2d.: it drops whole channels"),
    "rate 1": (between(nn.Dropout(1.0)), "1 .Dropout.: its rate is 1"),
    "Sigmoid": (between(nn.Sigmoid()), r"1 .Sigmoid.: φ\(0\) ≠ 0"),
    "Softplus": (between(nn.Softplus()), r"1 .Softplus.: φ\(0\) ≠ 0"),
    "PReLU": (between(nn.PReLU()), "1 .PReLU.: its slope is trained"),
    "SELU": (between(nn.SELU()), "1 .SELU.: it has a kink"),
    "ELU 2": (between(nn.ELU(2.0)), "1 .ELU.: it has a kink"),
    "Tanhshrink": (between(nn.Tanhshrink()), "1 .Tanhshrink.: its slope at zero is zero"),
    "dropout before tanh": (between(nn.Dropout(0.2), nn.Tanh()), "2 .Tanh.: dropout before it"),
    "two activations": (between(nn.Tanh(), nn.Tanh()), "2 .Tanh.: it follows Tanh"),
    "activation at the end": (nn.Sequential(nn.Linear(3, 3), nn.ReLU()), "ReLU acts on its output"),
    "skip": (Skip(), "skip connection"),
    "called twice": (Twice(), "one: it is called 2 times, so its weights are tied"),
    "tied": (tied(), "1: it shares weights with 0"),
    "a factor": (Scaled(), r"mul \(mul\)"),
    "frozen at the end": (partly_frozen("1"), "1: it is frozen behind trained layers"),
    "frozen bias": (partly_frozen("0.bias"), "0: it is partly frozen"),
    "output dropout": (
        nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1)),
        "dropout on the output beside biases",
    ),
    "LSTM": (nn.Sequential(nn.LSTM(3, 3)), "0 .LSTM.: modules of this class are not read"),
    "no layer": (nn.Sequential(nn.ReLU()), "expected a trained Linear layer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    model, message = REFUSED[name]
    with pytest.raises(NoExactSolution, match=message):
        read(model)


def test_hooks_on_a_layer_are_refused():
    model = between()
    model[0].register_forward_hook(lambda module, x, y: 2 * y)
    with pytest.raises(NoExactSolution, match=r"0 .Linear.: it has forward hooks"):
        read(model)


def test_what_is_no_model_is_refused():
    with pytest.raises(NoExactSolution, match=r"expected a .* got list"):
        read([1, 2])


def test_an_example_that_does_not_fit_says_so():
    with pytest.raises(InvalidData, match="fails on the example of shape"):
        read(chain((3, 2)), example=torch.randn(4, 5, dtype=torch.float64))


# ---- Optimisers


def test_decoupled_decay_has_no_network():
    model = chain((3, 4, 1))
    adam = torch.optim.Adam(model.parameters(), weight_decay=0.1)
    adam.param_groups[0]["decoupled_weight_decay"] = True  # an argument since PyTorch 2.7
    for optimizer in (torch.optim.AdamW(model.parameters(), weight_decay=0.1), adam):
        reading = read(model, optimizer=optimizer)
        assert reading.decoupled
        assert reading.to_dict()["network"] is None
        with pytest.raises(NoExactSolution, match="decoupled"):
            _ = reading.network
    without = read(model, optimizer=torch.optim.AdamW(model.parameters(), weight_decay=0.0))
    assert without.network.weight_decay == (0.0, 0.0)


def test_unknown_optimisers_are_refused_by_name():
    model = chain((3, 1))

    class Lion(torch.optim.SGD):
        pass

    for optimizer, message in (
        (Lion(model.parameters(), lr=0.1), "Lion"),
        (torch.optim.SGD(model.parameters(), lr=0.1, maximize=True), "maximize"),
        ("sgd", "expected a torch.optim optimiser, got str"),
    ):
        with pytest.raises(NoExactSolution, match=message):
            read(model, optimizer=optimizer)


# ---- Meta and half precision


def test_the_architecture_of_a_meta_model_is_read_and_its_weights_are_not():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    reading = read(model, optimizer=sgd(model))
    assert reading.network.hidden == (4,)
    with pytest.raises(InvalidWeights, match="meta device"):
        reading.weights()


def test_half_precision_is_read_exactly():
    model = chain((3, 4, 1)).half()
    for one, W in zip(linears(model), read(model).weights(), strict=True):
        np.testing.assert_array_equal(W, one.weight.detach().double().numpy())
