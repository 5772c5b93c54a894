# workflows/orders/take.py
def take(number, key):
    return f"order {number}, message {key}"
