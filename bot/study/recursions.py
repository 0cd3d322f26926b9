"""What only a compiled loop does quickly: recursions in which each bar needs the one before."""

import numpy as np
from numpy.typing import NDArray

from bot.study.jit import compiled


@compiled
def garch_returns(
    normals: NDArray[np.float64], variance: float, alpha: float, beta: float, drift: float
) -> None:
    """Turn standard normal draws into logarithmic returns with GARCH(1, 1) variance, in place."""
    base = variance * (1.0 - alpha - beta)
    now = variance
    for bar in range(normals.shape[0]):
        shock = np.sqrt(now) * normals[bar]
        normals[bar] = drift - now / 2.0 + shock
        now = base + alpha * shock * shock + beta * now
