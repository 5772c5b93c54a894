# workflows/report/count.py
def count(date):
    return int(date.replace("-", ""))
