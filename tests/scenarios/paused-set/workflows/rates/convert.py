def convert(orders, rates, uris):
    return {"orders": orders, "rates": rates, "of": len(uris)}
