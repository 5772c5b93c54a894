def load(date):
    return {"date": date, "rows": 3}


def publish(rows):
    return {"published": rows}


def tell(text):
    return text


def tidy(date):
    return f"tidied {date}"
