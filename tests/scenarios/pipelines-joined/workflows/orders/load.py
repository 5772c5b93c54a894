# workflows/orders/load.py
def load(day):
    return day
