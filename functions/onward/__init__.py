"""Onward: data pipelines driven by events alone."""

__version__ = "0.1.0"
