"""Initialisation: how many runs learn, and how far, against the usual schemes.

Grid, learning-rate rule and metric, written down before the first run (2026-11-22):

Nets. Six inputs, D hidden layers of 16 units, one output, no biases; D = 1, 2, 3; linear, tanh and
ReLU; dropout p = 0 or 0.3 behind every hidden activation.

Data. 32 rows, x standard normal, w a random unit vector. Linear targets y = s w·x + √(1 − s²) ε
with s = 0.3 ("weak") or 0.9 ("strong"); and "even" targets
0.9 (|w·x| − √(2/π))/√(1 − 2/π) + √0.19 ε, for tanh and ReLU nets only.

Decay. 0.1, 0.5 or 0.9 times λ*, the largest common weight_decay at which the linear net in the
place of the model learns these rows (its linear targets at s = 0.9 for "even" ones): linscape's
`critical_weight_decay`, ReLU taken as slope ½. A cell is a target, a decay and a dropout.

Training. 1,000 full-batch steps of SGD with momentum 0.9 on the mean squared error, weight_decay λ
coupled, fresh masks at each step, float32.

Schemes. PyTorch's default; Kaiming normal (fan_in), Xavier normal and orthogonal with PyTorch's
gain of the activation on hidden layers and 1 on the output; LSUV (package lsuv, all 32 rows); μP:
normal of variance 1/n_in, 1/n_in² at the output, with its learning rates for SGD, times n_out for
the first layer, 1 for hidden ones and 1/n_in for the output; `initialize_` with scheme "random" and
"aligned". A refusal of `initialize_` counts as a run that did not learn, of final loss 1.

Learning rates. Every scheme chooses among 0.003, 0.01, 0.03, 0.1, 0.3, once for each activation and
depth: the one of least mean final loss over all cells on seed 100. Reported are seeds 0 to 5.

Metric. Final loss: mean squared error on the 32 rows, dropout off, over E[y²] of the rows; 2 if it
is larger or no number. A run has learned if its final loss is below 0.99. Reported are the share of
runs that learned with its Wilson interval (95 %), and the mean final loss with 1.96 standard
errors.
"""
