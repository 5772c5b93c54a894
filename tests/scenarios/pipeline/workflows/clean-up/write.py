# workflows/clean-up/write.py
def write(text):
    return text
