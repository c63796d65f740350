"""What people and programs call: the command line, the terminal, notebooks, Python."""
