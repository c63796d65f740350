"""What every test relies on: JAX in double precision and on the CPU, set before it is imported."""

import os

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
