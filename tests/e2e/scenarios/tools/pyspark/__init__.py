"""Stands for PySpark, which takes seconds to start: its `spark-submit` runs the Python file as it is."""
