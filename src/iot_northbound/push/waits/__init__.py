"""Waits for commands and tasks: a push ends them, and looks at the platform do if no push comes."""
