"""The console page on the control port: what the platform has and does, live, with buttons for the control plane."""
