"""The cloud's services as adapters of `ports.Service`.

Importing this package imports no Google client: each is imported and built when its service is first used.
"""
