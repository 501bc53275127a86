"""Gradient descent against PyTorch's autograd and its SGD; needs torch, so slow only."""

import numpy as np
import pytest

import linscape as ls
from cases import data_problem
from linscape.dynamics.descent import descend


def torch_loss(torch, problem, weights):
    """The loss by second moments, written for autograd."""
    network, moments = problem.network, problem.moments
    A = torch.tensor(np.array(moments.A))
    S = A + network.input_noise * torch.diag(torch.diagonal(A))
    C = torch.tensor(np.array(moments.C).reshape(moments.inputs, moments.outputs))
    for W, variance in zip(weights[:-1], network.noise, strict=True):
        N = W @ S @ W.T
        S, C = N + variance * torch.diag(torch.diagonal(N)), W @ C
    U = weights[-1]
    data = torch.trace(U @ S @ U.T) - 2 * torch.trace(U @ C)
    data = data + float(np.trace(np.atleast_2d(moments.yy)))
    decays = zip(network.weight_decay, weights, strict=True)
    return problem.data_factor * data + sum(decay * (W**2).sum() for decay, W in decays)


@pytest.mark.slow
def test_steps_are_those_of_sgd():
    import torch

    rng = np.random.default_rng(0)
    count = 0
    for network in (
        ls.Network((), weight_decay=0.1),
        ls.Network((5,), noise=0.4, weight_decay=(0.1, 0.2)),
        ls.Network((5, 5), weight_decay=0.05, input_noise=0.3),
        ls.Network((4, 3, 2), noise=(0.1, 0.2, 0.3)),
    ):
        for outputs in (1, 3):
            X = rng.standard_normal((20, 4)) + 0.5
            y = X @ rng.standard_normal((4, outputs)) + rng.standard_normal((20, outputs))
            problem = data_problem(X, y[:, 0] if outputs == 1 else y, network)
            start = [0.5 * rng.standard_normal(shape) for shape in problem.shapes]
            for momentum, nesterov in ((0.0, False), (0.9, False), (0.9, True)):
                weights = [torch.tensor(W, requires_grad=True) for W in start]
                optimiser = torch.optim.SGD(weights, lr=1e-3, momentum=momentum, nesterov=nesterov)
                for _ in range(200):
                    optimiser.zero_grad()
                    torch_loss(torch, problem, weights).backward()
                    optimiser.step()
                run = descend(
                    problem,
                    start,
                    step_size=1e-3,
                    steps=200,
                    momentum=momentum,
                    nesterov=nesterov,
                )
                for W, V in zip(run.weights, weights, strict=True):
                    np.testing.assert_allclose(W, V.detach().numpy(), rtol=1e-10, atol=1e-12)
                count += 1
    print(f"{count} runs of 200 steps compared with torch.optim.SGD")
