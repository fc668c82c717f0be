"""The console command `kitwai`: one file a group of subcommands."""
