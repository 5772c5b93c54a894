# workflows/rates/load.py
def load(day):
    return day
