"""The backend `numpy`: every architecture of textforge's on NumPy alone."""
