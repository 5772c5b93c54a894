"""Pub/Sub and Cloud Tasks: how one invocation reaches a later one.

Importing this package imports no Google client: each is imported and built when it is first used.
"""
