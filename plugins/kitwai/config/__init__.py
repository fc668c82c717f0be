"""What Kitwai is told: the options of ``[kitwai]`` and the connection of each cluster."""
