"""What gradient descent does: plateaus, saddles, step sizes."""
