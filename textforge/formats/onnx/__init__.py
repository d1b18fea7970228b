"""The format `onnx`: graphs that read one token a row."""
