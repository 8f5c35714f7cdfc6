"""Sinks: they hand messages over to another program, and no handler runs here."""
