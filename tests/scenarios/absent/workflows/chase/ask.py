def ask(date):
    return f"where is {date}?"
