def merge():
    return "merged"
