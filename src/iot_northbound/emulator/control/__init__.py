"""The control plane: what a test or an operator does to the platform from outside the API."""
