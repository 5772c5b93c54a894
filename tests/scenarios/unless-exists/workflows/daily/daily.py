def table(date):
    return f"table of {date}"


def picture(date):
    return f"picture of {date}"
