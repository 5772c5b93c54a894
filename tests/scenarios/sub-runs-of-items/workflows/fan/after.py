def after():
    return "done"
