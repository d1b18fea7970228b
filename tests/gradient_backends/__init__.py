"""One suite for every framework that learns by gradients: the tests of its plugin inherit these classes.

A plugin's conftest describes the framework, as a `Framework`; what only one framework has is tested beside it.
"""
