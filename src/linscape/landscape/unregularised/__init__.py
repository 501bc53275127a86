"""Networks without decay or noise: their critical values, critical points and saddles."""
