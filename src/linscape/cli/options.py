"""The network that the options describe."""

import math

from linscape.errors import InvalidNetwork
from linscape.network import Network, dropout


def network_of(
    hidden: str,
    *,
    dropout_rates: str | None,
    noise: str | None,
    input_dropout: str | None,
    weight_decay: str,
) -> Network:
    """Return the network, or say which option is wrong.

    Examples
    --------
    >>> network = network_of(
    ...     "4,2", dropout_rates="0.5,0", noise=None, input_dropout=None, weight_decay="0.1"
    ... )
    >>> network.hidden, network.noise, network.weight_decay
    ((4, 2), (1.0, 0.0), (0.1, 0.1, 0.1))
    """
    widths = _widths(hidden)
    if dropout_rates is not None and noise is not None:
        raise InvalidNetwork("give --dropout (rates) or --noise (variances), not both")
    if dropout_rates is not None:
        variances = _per_layer(dropout_rates, "--dropout", len(widths))
        variances = [_variance(rate, "--dropout") for rate in variances]
    else:
        variances = _per_layer(noise or "0", "--noise", len(widths))
    (rate,) = _per_layer(input_dropout or "0", "--input-dropout", 1)
    return Network(
        widths,
        noise=variances,
        weight_decay=_per_layer(weight_decay, "--weight-decay", len(widths) + 1),
        input_noise=_variance(rate, "--input-dropout"),
    )


def _widths(text: str) -> list[int]:
    if text.strip().lower() in ("", "none"):
        return []
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InvalidNetwork(
            f"--hidden needs whole numbers separated by commas such as 64,64, got {text!r}; "
            "'none' is a linear model"
        ) from None


def _per_layer(text: str, option: str, layers: int) -> list[float]:
    """Return one number for each layer, from one for all or one for each."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidNetwork(
            f"{option} needs a number, or numbers separated by commas, got {text!r}"
        ) from None
    if not all(0 <= number < math.inf for number in numbers):
        raise InvalidNetwork(f"{option} needs finite numbers, zero or positive, got {text!r}")
    if len(numbers) == 1:
        return numbers * layers
    if len(numbers) != layers:
        raise InvalidNetwork(
            f"{option} needs one number for all layers, or {layers} in all, got {len(numbers)}"
        )
    return numbers


def _variance(rate: float, option: str) -> float:
    try:
        return dropout(rate)
    except InvalidNetwork as error:
        raise InvalidNetwork(f"{option}: {error}") from None
