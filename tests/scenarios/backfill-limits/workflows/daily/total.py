def total(date):
    return {"of": date}
