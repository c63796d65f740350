"""Functions and the derivatives under test."""
