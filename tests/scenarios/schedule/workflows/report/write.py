# workflows/report/write.py
def write(day, week, at):
    return f"{'week to' if week else 'day'} {day}, at {at}"
