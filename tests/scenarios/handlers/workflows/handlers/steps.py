def load(day):
    return 3 if day else 0


def check():
    return True


def tell(text):
    return text
