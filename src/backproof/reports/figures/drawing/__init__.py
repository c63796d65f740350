"""Drawing with matplotlib and seaborn, which are known to this package alone."""
