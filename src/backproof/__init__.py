"""backproof: is this gradient right, and if not, why, and does it matter?"""
