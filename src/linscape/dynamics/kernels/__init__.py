"""Steps of gradient descent for thousands of nets at once."""
