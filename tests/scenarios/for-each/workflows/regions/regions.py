def shops(regions: list[str]) -> list[dict[str, object]]:
    return [{"name": region, "rows": 10 * place} for place, region in enumerate(regions)]


def total(shop: str, rows: int, place: int) -> dict[str, object]:
    return {"shop": shop, "total": rows + place}


def report(totals: list[dict[str, object]]) -> list[str]:
    return [f"{each['shop']}: {each['total']}" for each in totals]
