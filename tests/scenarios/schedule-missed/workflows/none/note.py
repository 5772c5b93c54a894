# workflows/none/note.py
def note(hour):
    return hour
