"""The one-dimensional function F of one output: enclosures, certified roots, thresholds."""
