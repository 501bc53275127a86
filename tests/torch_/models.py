"""Small models, and plain training of them."""

import itertools

import torch
from torch import nn

MSE = nn.MSELoss()


def chain(widths, *, rate=0.0, activation=None, bias=False):
    """Linear layers with an activation and dropout between them, in float64."""
    steps = []
    for before, after in itertools.pairwise(widths):
        steps.append(nn.Linear(before, after, bias=bias))
        if activation is not None:
            steps.append(activation())
        if rate:
            steps.append(nn.Dropout(rate))
    last = next(k for k in reversed(range(len(steps))) if isinstance(steps[k], nn.Linear))
    return nn.Sequential(*steps[: last + 1]).double()


def linears(model):
    return [one for one in model.modules() if isinstance(one, nn.Linear)]


def scaled_(model, gain):
    """Multiply every weight matrix in place."""
    with torch.no_grad():
        for one in linears(model):
            one.weight.mul_(gain)
    return model


def data(rows, inputs, outputs=1, *, seed=0, noise=0.3):
    """Correlated inputs, and targets that depend on them linearly up to noise."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x = draw(rows, inputs) @ (torch.eye(inputs, dtype=torch.float64) + 0.3 * draw(inputs, inputs))
    y = x @ draw(inputs, outputs) / inputs**0.5 + noise * draw(rows, outputs)
    return x, y


def train(model, x, y, loss, optimizer, steps):
    """Full batches; returns the loss without decay at the end, dropout off."""
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        return float(loss(model(x), y))


def norms(model):
    return [float(one.weight.detach().norm()) for one in linears(model)]


def sgd(model, decay, rate=0.05, **options):
    return torch.optim.SGD(model.parameters(), lr=rate, weight_decay=decay, **options)


def copied(model, like):
    model.load_state_dict(like.state_dict())
    return model
