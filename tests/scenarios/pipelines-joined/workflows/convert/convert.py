# workflows/convert/convert.py
def convert(day):
    return f"orders of {day} in euros"
