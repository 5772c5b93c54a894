# workflows/all/note.py
def note(hour):
    return hour
