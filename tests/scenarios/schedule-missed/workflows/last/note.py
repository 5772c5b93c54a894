# workflows/last/note.py
def note(hour):
    return hour
