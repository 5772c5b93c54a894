# workflows/inner/half.py
def half(n):
    return n // 2
