"""The command line: a module a command, each registering itself in `main`."""
