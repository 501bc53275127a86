"""Kawaguchi (2016) and Hardt & Ma (2017): no poor local minima, and residual nets."""
