"""Workers in containers of one Docker engine."""
