"""What Kitwai keeps: the database of observations, decisions and scalings, and the checkpoints."""
