"""The platform without its devices: state, time, calls and how rules are declared."""
