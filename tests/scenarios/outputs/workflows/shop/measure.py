# workflows/shop/measure.py
def measure(file):
    return {"file": file, "rows": 3}


def tell(what, rows):
    return [what, rows + 1]
