"""What each target is worth: the state, its features, the Q-values."""
