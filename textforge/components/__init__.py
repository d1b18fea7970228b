"""Components: options declared once, the specs that write them, and the values they take."""
