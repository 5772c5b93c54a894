def count(date):
    return int(date.replace("-", ""))
