# workflows/orders/load.py
def load(name, shop, day):
    return f"{shop} {day} {name}"
