"""The figures in docs/performance.md: ratios to a named peer, measured in the same run. ``make bench`` runs all."""
