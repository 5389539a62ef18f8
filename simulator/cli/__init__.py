"""The command line: Typer commands with no logic of their own."""
