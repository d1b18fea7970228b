"""Generation: the token loop, drawing, stopping, streaming."""
