# workflows/feed/note.py
def note(job):
    return bool(job)
