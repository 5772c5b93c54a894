# workflows/flaky/load.py
def load(rows):
    return rows
