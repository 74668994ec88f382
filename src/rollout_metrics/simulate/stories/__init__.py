"""How each workflow of the simulated company behaves over time; one module per workflow."""
