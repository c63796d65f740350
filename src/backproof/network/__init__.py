"""The network under test: problems (weights to loss) and backward rules (forward pass to gradient)."""
