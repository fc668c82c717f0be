"""Workers as services of a Docker Swarm."""
