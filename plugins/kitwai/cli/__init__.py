"""The console command `kitwai`, with a module for each group of subcommands."""
