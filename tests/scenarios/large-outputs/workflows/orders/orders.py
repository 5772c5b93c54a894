def read(date):
    """More than the state takes by itself, and for one day more than anybody takes."""
    if date == "2026-09-02":
        return "x" * 10_000_000
    return {"date": date, "shops": [f"shop {number}" for number in range(4_000)]}


def tell(shops, by):
    return f"{len(shops)} shops, {shops[-1]} the last, by {by}"
