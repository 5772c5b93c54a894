# workflows/tidy/tidy.py
def write(file):
    return file
