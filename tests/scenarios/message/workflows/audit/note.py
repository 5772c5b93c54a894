# workflows/audit/note.py
def note(text):
    return text
