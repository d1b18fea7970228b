"""n-grams on NumPy: counting, smoothing, saving."""
