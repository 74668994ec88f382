"""What the product costs, as ratios to what a user would pick or write instead: one module per claim, `python -m benchmarks` runs them."""
