"""The façade over the rooms below: training, loading, generating, exporting."""
