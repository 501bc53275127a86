"""Several outputs under weight decay and noise: exact where theory reaches, certified elsewhere."""
