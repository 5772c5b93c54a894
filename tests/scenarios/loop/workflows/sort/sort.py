# workflows/sort/sort.py
def write(file):
    return file
