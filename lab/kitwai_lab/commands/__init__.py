"""The laboratory's subcommands of `kitwai`."""
