"""The exact loss landscape of deep linear networks."""
