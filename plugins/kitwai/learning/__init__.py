"""Training of the agent. TensorFlow is imported here alone, and only inside functions."""
