"""The result of a diagnosis: culprits, invariances, limits, forms, bad input."""

import json

import numpy as np
import pytest
import torch
from models import MSE, chain, copied, data, linears, sgd, train
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import linscape as ls
from linscape.errors import InvalidData, NoExactSolution
from linscape.torch import diagnose

# ---- Usual culprits


def culprits(model, x, y, **options):
    optimizer = options.pop("optimizer", sgd(model, 0.01))
    return "\n".join(diagnose(model, [(x, y)], loss=MSE, optimizer=optimizer).culprits)


def test_the_usual_culprits():
    x, y = data(40, 3)
    model = chain((3, 4, 1))
    assert culprits(model, x, y) == ""
    assert "compares all 40² pairs" in culprits(model, x, y[:, 0])
    assert "Target 0 is constant" in culprits(model, x, torch.ones_like(y))
    assert "Target 0 has mean" in culprits(model, x, y + 1000)
    assert "Target 0 has standard deviation" in culprits(model, x, 1e4 * y)
    assert "root mean squares" in culprits(model, x * torch.tensor([1.0, 1.0, 1e4]), y)
    assert "learning rate 50 diverges" in culprits(model, x, y, optimizer=sgd(model, 0.01, 50.0))
    dying = chain((3, 4, 1), activation=nn.ReLU)
    with torch.no_grad():
        linears(dying)[0].weight[:2] = 0
    assert "50% of the units of 1 (ReLU) are zero" in culprits(dying, x, y)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", [None, nn.ReLU])
def test_a_saddle_at_zero_is_told_as_one(activation, bias):
    x, y = data(40, 3)
    x = x - x.mean(dim=0)
    model = chain((3, 4, 1), activation=activation)
    if bias:
        linears(model)[-1].bias = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    groups = [
        {"params": [p for p in model.parameters() if p.ndim == 2], "weight_decay": 1e-3},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=torch.optim.SGD(groups, lr=0.1))
    assert found.phase.verdict == "learning"
    assert "up to 0 times" not in str(found)
    if activation is None or not bias:
        assert "is a saddle" in found.trap.statement


def test_without_decay_no_weights_but_zero_are_proven_to_collapse():
    x, y = data(40, 3)
    model = chain((3, 4, 4, 1))
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.0))
    assert "No weights but zero" in found.trap.statement


def test_batches_are_counted_in_words_that_fit():
    x, y = data(40, 3)
    model = chain((3, 4, 1))
    for batches, words in (([(x, y)], "40 rows in 1 batch\n"), ([(x, y)] * 2, "in 2 batches\n")):
        assert words in str(diagnose(model, batches, loss=MSE, optimizer=sgd(model, 0.1)))
    assert "1 row in 1 batch\n" in str(diagnose(model, [(x[:1], y[:1])], loss=MSE))


class Squeezed(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x).squeeze(-1)


def test_outputs_in_the_shape_of_the_targets_are_no_culprit():
    x, y = data(40, 3)
    model = chain((3, 4, 1))
    plain = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.01))
    flat = diagnose(Squeezed(model), [(x, y[:, 0])], loss=MSE, optimizer=sgd(model, 0.01))
    own = diagnose(
        model,
        [(x, y[:, 0])],
        loss=lambda f, t: MSE(f.squeeze(1), t),
        optimizer=sgd(model, 0.01),
    )
    assert plain.culprits == flat.culprits == own.culprits == ()
    assert plain.limits.to_dict() == flat.limits.to_dict() == own.limits.to_dict()


def test_the_step_that_is_blamed_really_diverges():
    x, y = data(40, 3)
    model = chain((3, 4, 1))
    message = culprits(model, x, y, optimizer=sgd(model, 0.01, 50.0))
    limit = float(message.rstrip(".").split()[-1])
    ends = []
    for factor in (0.5, 2.0):
        member = copied(chain((3, 4, 1)), model)
        ends.append(train(member, x, y, MSE, sgd(member, 0.01, factor * limit), 300))
    assert ends[0] < 1e3
    assert not ends[1] < 1e3


# ---- The result


def test_the_answers_do_not_depend_on_batches_order_or_scale_of_the_loss():
    x, y = data(60, 3)
    model = chain((3, 6, 6, 1), rate=0.2)
    found = [
        diagnose(model, loader, loss=loss, optimizer=sgd(model, decay))
        for loader, loss, decay in (
            ([(x, y)], MSE, 0.1),
            ([(x[:7], y[:7]), (x[7:31], y[7:31]), (x[31:], y[31:])], MSE, 0.1),
            ([(x.flip(0), y.flip(0))], lambda f, t: 5 * MSE(f, t), 0.5),
        )
    ]
    for other, factor in zip(found[1:], (1, 5), strict=True):
        assert other.phase.verdict == found[0].phase.verdict
        for name in ("loss_at_zero", "weight_decay"):
            mine, theirs = (getattr(one.limits, name) for one in (found[0], other))
            assert theirs == pytest.approx(factor * mine, rel=1e-9)  # a spectral norm
        gains = [one.ending.numbers["critical_gain"] for one in (found[0], other)]
        assert gains[0] == pytest.approx(gains[1], rel=0.05)  # each is known to 2 %


def test_best_loss_is_the_global_minimum():
    x, y = data(60, 3)
    model = chain((3, 6, 6, 1), rate=0.2)
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.1))
    network = ls.Network((6, 6), noise=0.25, weight_decay=0.05)
    problem = ls.Problem(ls.Moments.from_arrays(x.numpy(), y.numpy()[:, 0]), network)
    minimum = ls.global_minimum(problem)
    assert found.limits.best.lower == pytest.approx(minimum.lower, rel=1e-10)
    assert found.limits.best.upper == pytest.approx(minimum.upper, rel=1e-10)
    assert found.limits.dropout == pytest.approx(ls.critical_dropout(problem).rate, rel=1e-9)
    assert found.limits.depths == ls.critical_depth(problem, largest=12).learning


def test_the_limit_of_a_smooth_net_is_where_its_hessian_at_zero_changes_sign():
    # one hidden layer of GELU: torch's own Hessian at zero, at the decay that is named
    x, y = data(40, 3)
    model = chain((3, 2, 1), activation=nn.GELU)
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.01))
    lam = found.limits.weight_decay

    def total(flat):
        first, last = flat[:6].reshape(2, 3), flat[6:].reshape(1, 2)
        return MSE(nn.functional.gelu(x @ first.T) @ last.T, y) + lam / 2 * (flat**2).sum()

    hessian = torch.autograd.functional.hessian(total, torch.zeros(8, dtype=torch.float64))
    assert float(torch.linalg.eigvalsh(hessian)[0]) == pytest.approx(0, abs=1e-9 * lam)


def test_nothing_of_the_model_changes():
    x, y = data(40, 3)
    model = chain((3, 4, 1), rate=0.3)
    model[1].eval()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    seed = torch.random.get_rng_state()
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)
    diagnose(model, loader, loss=MSE, optimizer=sgd(model, 0.1))
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), seed)


def test_text_json_and_page():
    x, y = data(40, 3)
    for options in ({}, {"activation": nn.ReLU}, {"activation": nn.SiLU}, {"bias": True}):
        model = chain((3, 4, 4, 1), rate=0.2, **options)
        found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.1))
        text, page = str(found), found.to_html()
        for heading in ("(a) Phase", "(b) Proven trap", "(c) Where descent ends", "not theory"):
            assert heading in text
            assert heading in page
        assert "<script" not in page
        assert "http" not in page
        facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert facts["schema"] == "linscape.diagnose"
        assert facts["phase"]["verdict"] == found.phase.verdict


def test_the_predicted_sizes_of_preactivations_are_those_of_the_minimum():
    x, y = data(60, 3)
    model = chain((3, 5, 4, 1), activation=nn.SiLU)
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.02))
    minimum = ls.global_minimum(found.reading.problem(ls.Moments.from_arrays(x.numpy(), y.numpy())))
    first, second, _ = minimum.weights()  # of the linear part, slope included
    sizes = [np.sqrt(np.mean((x.numpy() @ W.T / 0.5) ** 2)) for W in (first, second @ first)]
    shown = ", ".join(f"{size:.3g}" for size in sizes)
    assert f"At the predicted minimum they have {shown}:" in "\n".join(found.trust)


def test_without_an_optimiser_there_is_no_decay():
    x, y = data(40, 3)
    found = diagnose(chain((3, 4, 1)), [(x, y)], loss=MSE)
    assert found.phase.verdict == "learning"
    assert found.limits.weight_decay > 0
    assert "No optimiser was given" in "\n".join(found.trust)


def test_float32_models_are_diagnosed():
    x, y = data(40, 3)
    model = chain((3, 4, 4, 1))
    double = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.1))
    single = model.float()
    found = diagnose(single, [(x.float(), y.float())], loss=MSE, optimizer=sgd(single, 0.1))
    # float32 data have seven digits
    assert found.limits.weight_decay == pytest.approx(double.limits.weight_decay, rel=1e-5)


# ---- Bad input


def test_meta_and_half_precision_get_a_clear_answer():
    x, y = data(8, 3)
    with torch.device("meta"):
        model = nn.Linear(3, 1)
    with pytest.raises(InvalidData, match="weight is on the meta device"):
        diagnose(model, [(x, y)], loss=MSE)
    for kind in (torch.float16, torch.bfloat16):
        model = nn.Linear(3, 1).to(kind)
        with pytest.raises(InvalidData, match=r"diagnose model.float\(\)"):
            diagnose(model, [(x.to(kind), y.to(kind))], loss=MSE)


def test_a_model_that_has_diverged_is_told_so():
    x, y = data(8, 3)
    model = chain((3, 1))
    with torch.no_grad():
        linears(model)[0].weight[0, 0] = torch.nan
    with pytest.raises(InvalidData, match=r"0\.weight has entries that are NaN or infinite"):
        diagnose(model, [(x, y)], loss=MSE)


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ([], "at least one batch"),
        (iter([]), "more than once"),
        ([torch.zeros(4, 3)], "pairs of tensors"),
        ([(torch.zeros(4, 3), torch.zeros(4, 1), torch.zeros(4))], "pairs of tensors"),
        ([(torch.zeros(4, 3), torch.zeros(5, 1))], "as many inputs as targets"),
        ([(torch.zeros(4, 3), torch.zeros(4, 2))], "fails on outputs|values a row"),
        ([(torch.zeros(4, 5), torch.zeros(4, 1))], "fails on the example"),
        ([(torch.full((4, 3), torch.nan), torch.zeros(4, 1))], "NaN"),
    ],
)
def test_bad_loaders_are_refused(loader, message):
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    with pytest.raises(InvalidData, match=message):
        diagnose(model, loader, loss=MSE)


def test_integer_targets_of_a_square_loss_are_refused():
    x, _ = data(8, 3)
    model = chain((3, 2))
    with pytest.raises((InvalidData, NoExactSolution)):
        diagnose(model, [(x, torch.zeros(8, dtype=torch.long))], loss=MSE)
