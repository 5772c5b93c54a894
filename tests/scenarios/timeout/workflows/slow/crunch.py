print("crunch")
