# workflows/report/write.py
def write(text):
    return text
