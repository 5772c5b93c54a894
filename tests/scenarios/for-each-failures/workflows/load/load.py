def load(name: str, limit: int) -> str:
    return f"{name} up to {limit}"


def after(loaded: list[str | None]) -> int:
    return sum(each is not None for each in loaded)
