def tell(text="all is well"):
    return text
